// What both viewers share: a camera that is moved by hand or by keys, and a canvas that is drawn
// while it shows.
import { PerspectiveCamera, Spherical, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const STEP = Math.PI / 18;
/** Key -> how the camera goes around the model: radians to the right and down, and the factor on
 * its distance. An arrow turns the model's near side the way that it points.
 */
const KEYS = {
  ArrowLeft: { right: STEP },
  ArrowRight: { right: -STEP },
  ArrowUp: { down: STEP },
  ArrowDown: { down: -STEP },
  "+": { distance: 0.9 },
  "=": { distance: 0.9 }, // where + takes Shift
  "-": { distance: 1 / 0.9 },
};

function turnByKeys(canvas, camera, target) {
  canvas.addEventListener("keydown", (event) => {
    const move = KEYS[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const from = new Spherical().setFromVector3(camera.position.clone().sub(target));
    from.theta += move.right ?? 0;
    from.phi += move.down ?? 0;
    from.radius *= move.distance ?? 1;
    camera.position.setFromSpherical(from.makeSafe()).add(target);
    camera.lookAt(target);
  });
}

export function register(kind, show) {
  window.gen404Viewers = { ...window.gen404Viewers, [kind]: show };
}

/** Draws `scene` until the function that it returns is called. `size`: the diagonal of what is shown. */
export function inCanvas(canvas, scene, { size, light, prepare, end }) {
  const renderer = new WebGLRenderer({ canvas, antialias: true });
  renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
  const distance = size > 0 ? size : 1;
  const camera = new PerspectiveCamera(49.1, 1, distance / 1000, distance * 100);
  camera.position.set(0.39, 0.26, 0.88).multiplyScalar(1.2 * distance);
  if (light) camera.add(light);
  scene.add(camera);
  prepare?.(renderer);
  const controls = new OrbitControls(camera, canvas);
  turnByKeys(canvas, camera, controls.target);
  renderer.setAnimationLoop(() => {
    const { clientWidth, clientHeight } = canvas;
    renderer.setSize(clientWidth, clientHeight, false);
    camera.aspect = clientWidth / Math.max(1, clientHeight);
    camera.updateProjectionMatrix();
    controls.update();
    renderer.render(scene, camera);
    canvas.dataset.drawn = "yes";
  });
  return () => {
    renderer.setAnimationLoop(null);
    controls.dispose();
    end?.();
    renderer.dispose();
  };
}
