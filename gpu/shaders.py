"""The shaders for meshes: the light and material of interfaces.md as the competition's present renderer has them."""

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

# Textures are filtered as they are stored, and taken from sRGB after that; the occlusion dims all light; emission has
# its factor twice; normal maps have no tangents: so it is in the renderer that these pictures are to match.
FRAGMENT = """
#version 330 core
in vec3 at;
in vec3 facing;
#ifdef COLORS
in vec4 tint;
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

vec3 linear(vec3 srgb) {
    return mix(srgb / 12.92, pow((srgb + 0.055) / 1.055, vec3(2.4)), step(vec3(0.04045), srgb));
}

vec3 surface() {
    vec3 plain = normalize(facing);
#ifdef NORMAL
    vec3 at_x = dFdx(at), at_y = dFdy(at);
    vec2 uv_x = dFdx(NORMAL), uv_y = dFdy(NORMAL);
    vec3 along = (uv_y.t * at_x - uv_x.t * at_y) / (uv_x.s * uv_y.t - uv_y.s * uv_x.t);
    along = normalize(along - plain * dot(plain, along));
    vec3 across = normalize(cross(plain, along));
    vec3 bump = 2.0 * texture(normal_picture, NORMAL).rgb - 1.0;
    bump.xy *= normal_scale;
    vec3 bumped = normalize(mat3(along, across, plain) * bump);
    if (dot(bumped, bumped) > 0.5) return bumped;
#endif
    return plain;
}

void main() {
    vec4 albedo = base_color;
#ifdef BASE_COLOR
    vec4 texel = texture(base_color_picture, BASE_COLOR);
    albedo *= vec4(linear(texel.rgb), texel.a);
#endif
#ifdef COLORS
#ifdef MATERIAL
    albedo *= tint;
#else
    albedo.a *= tint.a;
#endif
#endif
#ifdef MASK
    if (albedo.a < alpha_cutoff) discard;
#endif
    float rough = roughness, metal = metallic;
#ifdef METALLIC_ROUGHNESS
    vec3 texel_orm = texture(metallic_roughness_picture, METALLIC_ROUGHNESS).rgb;
    rough *= texel_orm.g;
    metal *= texel_orm.b;
#endif
    rough = clamp(rough, LEAST, 1.0);
    vec3 diffuse = albedo.rgb * (1.0 - LEAST) * (1.0 - metal);
    vec3 specular = mix(vec3(LEAST), albedo.rgb, metal);

    vec3 n = surface();
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
    vec3 lit = (1.0 - fresnel) * diffuse / PI + fresnel * shadowing * facets / (4.0 * nl * nv + 0.001);

    vec3 color = nl * intensity * lit + albedo.rgb * ambient;
#ifdef OCCLUSION_WITHIN
    color *= 1.0 + occlusion_strength * (texel_orm.r - 1.0);
#endif
#ifdef OCCLUSION
    color *= 1.0 + occlusion_strength * (texture(occlusion_picture, OCCLUSION).r - 1.0);
#endif
    vec3 glow = emissive * emissive;
#ifdef EMISSIVE
    glow *= linear(texture(emissive_picture, EMISSIVE).rgb);
#endif
    color += glow;
#ifdef COLORS
#ifndef MATERIAL
    color *= tint.rgb;
#endif
#endif
    result = clamp(vec4(pow(color, vec3(1.0 / 2.2)), albedo.a), 0.0, 1.0);
#ifndef BLEND
    result.a = 1.0;
#endif
}
"""
