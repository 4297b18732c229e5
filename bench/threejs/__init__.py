"""GLB files drawn by three.js in headless Chromium, for what glTF says of a picture (`python -m
bench.threejs`).
"""
