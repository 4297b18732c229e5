// What both viewers share: a camera that is moved by hand, and a canvas that is drawn while it shows.
import { PerspectiveCamera, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

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
  canvas.tabIndex = 0;
  controls.listenToKeyEvents(canvas);
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
