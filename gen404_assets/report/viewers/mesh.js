// A GLB file in a canvas, as glTF viewers show it: turned, moved and zoomed by hand or with arrow keys.
import { AmbientLight, Box3, Color, DirectionalLight, Scene, Vector3 } from "three";
import { DRACOLoader } from "three/addons/loaders/DRACOLoader.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";
import { inCanvas, register } from "./stage.js";

register("glb", async (canvas, url, folder) => {
  const draco = new DRACOLoader().setDecoderPath(folder);
  const loader = new GLTFLoader().setDRACOLoader(draco).setMeshoptDecoder(MeshoptDecoder);
  const { scene: model } = await loader.loadAsync(url);
  const box = new Box3().setFromObject(model);
  model.position.sub(box.getCenter(new Vector3()));
  const scene = new Scene();
  scene.background = new Color(0xffffff);
  scene.add(model, new AmbientLight(0xffffff, 1));
  const light = new DirectionalLight(0xffffff, 3);
  return inCanvas(canvas, scene, {
    size: box.getSize(new Vector3()).length(),
    light,
    end: () => draco.dispose(),
  });
});
