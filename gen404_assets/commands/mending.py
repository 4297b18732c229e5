"""How a miner mends what the competition refuses: advice for each reason that it records."""

import re

_ADVICE: tuple[tuple[str, str], ...] = (
    # Files of either format.
    (
        r"^the file has .* bytes, more than",
        "make the file smaller: fewer triangles or Gaussians, smaller textures, JPEG or WebP",
    ),
    (r"cut short", "write the file again: it ends before its header says; upload it whole"),
    (
        r"^it takes more than .* to show the file|^the file breaks the renderer",
        "simplify the file: fewer triangles, nodes and pixels of textures",
    ),
    # Meshes.
    (
        r"isn't a GLB|GLB of version|GLB doesn't begin|two chunks|glTF's .* is wrong|GLB's JSON",
        "export as binary glTF 2.0 (.glb), and check the file with the Khronos glTF Validator",
    ),
    (
        r"must hold exactly one mesh",
        "join all meshes and materials into one mesh with one primitive before exporting",
    ),
    (
        r"reaches .* from the origin",
        "move the mesh's middle to the origin and scale it to stay within ±0.5",
    ),
    (
        r"^the mesh has .* more than|^the mesh is shown|is shown .* times",
        "simplify (decimate) the mesh, and don't repeat it in many nodes or instances",
    ),
    (r"the mesh isn't made of triangles|no triangles", "triangulate the mesh before exporting"),
    (
        r"no positions|POSITION|indices|an index points|finite places|two parents|Draco",
        "export the mesh again: its geometry is broken",
    ),
    (
        r"outside its? ?(data|self)|outside itself",
        "embed buffers and pictures in the GLB; nothing outside the file is fetched",
    ),
    (
        r"isn't supported|aren't supported",
        "export without that extension; textures as PNG, JPEG or WebP; no meshopt compression",
    ),
    (r"pixels", "shrink the textures: 2048 pixels a side are plenty for a picture of 518"),
    # Gaussian splats.
    (
        r"isn't a PLY|PLY's (header|format|number|text|vertices)|PLY has (an element|a property)|"
        r"two properties of one name|fractional length",
        "write a PLY 1.0 (binary or ascii) with one element `vertex` of single numbers",
    ),
    (
        r"PLY has no property",
        "write the properties of 3DGS: x y z, f_dc_0..2, opacity, scale_0..2, rot_0..3",
    ),
    (r"PLY holds .* more than", "prune the splats: drop Gaussians of low opacity"),
    (
        r"no Gaussian|no vertices|holds no Gaussians|no extent|too far apart|can't be drawn",
        "look into the training: its Gaussians are missing, spread or sized beyond use",
    ),
    # Downloads.
    (r"^HTTP status 40[134]$", "upload the file under this exact name, readable by everybody"),
    (r"^HTTP status|no answer|no end after", "use a faster host, or one that allows more requests"),
    (
        r"^larger than|more bytes on the wire",
        "make the file smaller, and serve it without padding or compression that grows",
    ),
    (r"redirect", "serve the file at its URL: at most three redirects, each with a location"),
    (
        r"isn't a public one",
        "serve the files from a host with public addresses only",
    ),
    (
        r"host isn't found|connection failed|can't be read|no proper HTTP|headers",
        "try `curl -v` with the URL from another network: the server or its name is out of order",
    ),
    (
        r"not a URL|neither http nor https|credentials|proper host and port",
        "commit a plain http(s) URL of a public host, without user and password",
    ),
    (
        r"content encoding|gzip or zlib",
        "serve the file as it is, without the header Content-Encoding",
    ),
    # Containers.
    (r"an empty file", "answer with the file as the body, and with no body only on failure"),
    (
        r"container (doesn't answer|answers)|broke off|did not end",
        "see the container's own log for this request; it must answer every prompt with 200",
    ),
    (
        r"^two previews of one seed",
        "seed every random generator from the form field `seed`, and have the GPU's kernels be "
        "deterministic; an audit compares what is regenerated with what was submitted",
    ),
    (
        r"^took longer|^not healthy",
        "make it faster, or load models at start-up; the image must be healthy within its time",
    ),
    # Names.
    (r"^its name must end", "name the file after the prompt's stem, with .glb or .ply"),
    # Commitments.
    (
        r"^no .* revealed",
        'commit a JSON object such as {"repo": "owner/name", "commit": "…", "cdn_url": "https://…"}'
        "; several commitments may hold a field each",
    ),
    (
        r"^not a valid",
        "repo is owner/name (no URL, no .git), commit all 40 hexadecimal digits, and cdn_url an "
        "http(s) URL of a public host without credentials",
    ),
    (r"ss58", "commit with a hotkey of Bittensor (ss58 format 42)"),
)


def advice(reason: str) -> str:
    """What to do about a reason for which something is refused; empty where there is none."""
    return next((text for pattern, text in _ADVICE if re.search(pattern, reason)), "")
