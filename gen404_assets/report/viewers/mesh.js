// A GLB file in a canvas, as glTF viewers show it: turned and zoomed by hand or by keys.
import { Box3, Color, DirectionalLight, PMREMGenerator, Scene, Vector3 } from "three";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
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
  scene.add(model);
  const light = new DirectionalLight(0xffffff, 1.5);
  return inCanvas(canvas, scene, {
    size: box.getSize(new Vector3()).length(),
    light,
    // Metal, which is what glTF's default material is, would be black without a room around it.
    prepare: (renderer) => {
      scene.environment = new PMREMGenerator(renderer).fromScene(new RoomEnvironment()).texture;
    },
    end: () => draco.dispose(),
  });
});
