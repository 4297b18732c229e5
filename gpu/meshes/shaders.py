"""The shaders for meshes: the light and material of interfaces.md as the competition's present
renderer has them.
"""

VERTEX = """
#version 330 core
in vec3 position;
in vec3 normal;
uniform mat4 projection;
out vec3 at;
out vec3 facing;
#ifdef COLORS
in vec4 color;
out vec4 tint;
#endif
#ifdef TANGENTS
in vec4 tangent;
out vec3 tangent_along;
out vec3 tangent_across;
#endif
#if COORDINATES > 0
in vec2 coordinates_0;
out vec2 uv_0;
#endif
#if COORDINATES > 1
in vec2 coordinates_1;
out vec2 uv_1;
#endif
#if COORDINATES > 2
in vec2 coordinates_2;
out vec2 uv_2;
#endif
#if COORDINATES > 3
in vec2 coordinates_3;
out vec2 uv_3;
#endif
#if COORDINATES > 4
in vec2 coordinates_4;
out vec2 uv_4;
#endif

void main() {
    gl_Position = projection * vec4(position, 1.0);
    at = position;
    facing = normal;
#ifdef COLORS
    tint = color;
#endif
#ifdef TANGENTS
    tangent_along = tangent.xyz;
    tangent_across = cross(normal, tangent.xyz) * tangent.w;
#endif
#if COORDINATES > 0
    uv_0 = coordinates_0;
#endif
#if COORDINATES > 1
    uv_1 = coordinates_1;
#endif
#if COORDINATES > 2
    uv_2 = coordinates_2;
#endif
#if COORDINATES > 3
    uv_3 = coordinates_3;
#endif
#if COORDINATES > 4
    uv_4 = coordinates_4;
#endif
}
"""

# The equations of light, the gamma of 2.2 and the emissive factor's square are the present
# renderer's; what a material's parts mean is glTF's (docs/rendering.md). Texels of colours come in
# decoded from sRGB.
FRAGMENT = """
#version 330 core
in vec3 at;
in vec3 facing;
#ifdef COLORS
in vec4 tint;
#endif
#ifdef TANGENTS
in vec3 tangent_along;
in vec3 tangent_across;
#endif
#if COORDINATES > 0
in vec2 uv_0;
#endif
#if COORDINATES > 1
in vec2 uv_1;
#endif
#if COORDINATES > 2
in vec2 uv_2;
#endif
#if COORDINATES > 3
in vec2 uv_3;
#endif
#if COORDINATES > 4
in vec2 uv_4;
#endif
uniform vec3 eye;
uniform vec3 light;
uniform float intensity;
uniform float ambient;
uniform vec4 base_color;
uniform float metallic;
uniform float roughness;
uniform vec3 emissive;
uniform float normal_scale;
uniform float occlusion_strength;
uniform float alpha_cutoff;
uniform float emissive_strength;
uniform vec3 specular_factor;
uniform vec2 alphas;
#ifdef BASE_COLOR
uniform sampler2D base_color_picture;
#endif
#ifdef METALLIC_ROUGHNESS
uniform sampler2D metallic_roughness_picture;
#endif
#ifdef NORMAL
uniform sampler2D normal_picture;
#endif
#ifdef OCCLUSION
uniform sampler2D occlusion_picture;
#endif
#ifdef EMISSIVE
uniform sampler2D emissive_picture;
#endif
out vec4 result;

const float PI = 3.141592653589793;
const float LEAST = 0.04;

// Drivers estimate the level of a mipmap each in its own way; from here it is the same on all.
vec4 look(sampler2D picture, vec2 uv) {
    vec2 size = vec2(textureSize(picture, 0));
    vec2 right = dFdx(uv) * size, up = dFdy(uv) * size;
    return textureLod(picture, uv, 0.5 * log2(max(max(dot(right, right), dot(up, up)), 1e-12)));
}

vec3 surface() {
    vec3 plain = normalize(facing);
#ifdef NORMAL
#ifdef TANGENTS
    vec3 along = normalize(tangent_along), across = normalize(tangent_across);
#else
    vec3 at_x = dFdx(at), at_y = dFdy(at);
    vec2 uv_x = dFdx(NORMAL), uv_y = dFdy(NORMAL);
    float turn = uv_x.s * uv_y.t - uv_y.s * uv_x.t;
    vec3 along = (uv_y.t * at_x - uv_x.t * at_y) * sign(turn);
    along -= plain * dot(plain, along);
    float size = dot(along, along);
    if (turn == 0.0 || !(size > 0.0)) return plain;
    along *= inversesqrt(size);
    // Up in a normal map is towards lower coordinates, also where the texture lies mirrored.
    vec3 across = cross(plain, along) * -sign(turn * dot(cross(at_x, at_y), plain));
#endif
    vec3 bump = 2.0 * look(normal_picture, NORMAL).rgb - 1.0;
    bump.xy *= normal_scale;
    vec3 bumped = mat3(along, across, plain) * bump;
    if (dot(bumped, bumped) > 0.0) return normalize(bumped);
#endif
    return plain;
}

// Specular-glossiness as the metal (x) and the base colour that look the same, as Khronos
// converts it.
vec4 metal_and_color(vec3 diffuse, vec3 specular) {
    float most = max(specular.r, max(specular.g, specular.b));
    vec3 weights = vec3(0.299, 0.587, 0.114);
    float from = sqrt(dot(weights, diffuse * diffuse));
    float to = sqrt(dot(weights, specular * specular));
    float metal = 0.0;
    if (to >= LEAST) {
        float b = from * (1.0 - most) / (1.0 - LEAST) + to - 2.0 * LEAST;
        float root = sqrt(max(b * b - 4.0 * LEAST * (LEAST - to), 0.0));
        metal = clamp((root - b) / (2.0 * LEAST), 0.0, 1.0);
    }
    vec3 plain = diffuse * (1.0 - most) / (1.0 - LEAST) / max(1.0 - metal, 1e-6);
    vec3 shiny = (specular - LEAST * (1.0 - metal)) / max(metal, 1e-6);
    return vec4(metal, clamp(mix(plain, shiny, metal * metal), 0.0, 1.0));
}

void main() {
    vec4 albedo = base_color;
#ifdef BASE_COLOR
    albedo *= look(base_color_picture, BASE_COLOR);
#endif
#ifdef COLORS
#ifdef MATERIAL
    albedo *= tint;
#else
    albedo.a *= tint.a;
#endif
#endif
    float rough = roughness, metal = metallic;
#ifdef SPECULAR_GLOSSINESS
    vec4 shine = vec4(specular_factor, 1.0 - roughness);
#ifdef METALLIC_ROUGHNESS
    shine *= look(metallic_roughness_picture, METALLIC_ROUGHNESS);
#endif
    vec4 converted = metal_and_color(albedo.rgb, shine.rgb);
    rough = 1.0 - shine.a;
    metal = converted.x;
    albedo.rgb = converted.yzw;
#elif defined(METALLIC_ROUGHNESS)
    vec3 texel_orm = look(metallic_roughness_picture, METALLIC_ROUGHNESS).rgb;
    rough *= texel_orm.g;
    metal *= texel_orm.b;
#endif
    rough = clamp(rough, LEAST, 1.0);
    vec3 diffuse = albedo.rgb * (1.0 - LEAST) * (1.0 - metal);
    vec3 specular = mix(vec3(LEAST), albedo.rgb, metal);

    vec3 n = surface();
#ifdef DOUBLE_SIDED
    if (!gl_FrontFacing) n = -n;
#endif
    vec3 v = normalize(eye - at);
    vec3 h = normalize(light + v);
    float nl = clamp(dot(n, light), 0.001, 1.0);
    float nv = clamp(abs(dot(n, v)), 0.001, 1.0);
    float nh = clamp(dot(n, h), 0.0, 1.0);
    float vh = clamp(dot(v, h), 0.0, 1.0);

    float away = clamp(1.0 - vh, 0.0, 1.0);
    float away2 = away * away;
    vec3 fresnel = specular + (1.0 - specular) * away2 * away2 * away;
    float k = (rough + 1.0) * (rough + 1.0) / 8.0;
    float shadowing = nv / (nv * (1.0 - k) + k) * (nl / (nl * (1.0 - k) + k));
    float a2 = rough * rough * rough * rough;
    float spread = nh * nh * (a2 - 1.0) + 1.0;
    float facets = a2 / (PI * spread * spread);
    vec3 lit = (1.0 - fresnel) * diffuse / PI
        + fresnel * shadowing * facets / (4.0 * nl * nv + 0.001);

    vec3 color = albedo.rgb * ambient;
#ifdef OCCLUSION_WITHIN
    color *= 1.0 + occlusion_strength * (texel_orm.r - 1.0);
#endif
#ifdef OCCLUSION
    color *= 1.0 + occlusion_strength * (look(occlusion_picture, OCCLUSION).r - 1.0);
#endif
    color += nl * intensity * lit;
    vec3 glow = emissive * emissive * emissive_strength;
#ifdef EMISSIVE
    glow *= look(emissive_picture, EMISSIVE).rgb;
#endif
    color += glow;
#ifdef COLORS
#ifndef MATERIAL
    color *= tint.rgb;
#endif
#endif
#ifdef UNLIT
    color = albedo.rgb;
#endif
    // At the end, since neighbours' levels of mipmaps depend on all pixels of a quad being alive.
#ifdef MASK
    if (albedo.a < alpha_cutoff) discard;
#endif
#ifdef BLEND
    if (albedo.a < alphas.x || albedo.a >= alphas.y) discard;
#endif
    result = clamp(vec4(pow(color, vec3(1.0 / 2.2)), albedo.a), 0.0, 1.0);
#ifndef BLEND
    result.a = 1.0;
#endif
}
"""
