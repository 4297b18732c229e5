// A PLY file of Gaussian splats in a canvas, drawn by Spark.
import { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import { Box3, Color, Scene, Vector3 } from "three";
import { inCanvas, register } from "./stage.js";

register("ply", async (canvas, url) => {
  const splats = new SplatMesh({ url });
  await splats.initialized;
  const box = splats.getBoundingBox ? splats.getBoundingBox(true) : new Box3().setFromObject(splats);
  splats.position.sub(box.getCenter(new Vector3()));
  const scene = new Scene();
  scene.background = new Color(0xffffff);
  scene.add(splats);
  return inCanvas(canvas, scene, {
    size: box.getSize(new Vector3()).length(),
    prepare: (renderer) => scene.add(new SparkRenderer({ renderer })),
    end: () => splats.dispose(),
  });
});
