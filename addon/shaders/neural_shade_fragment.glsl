// The traced picture in the colours of the view's shading, with its depth, and the outline of what is selected.
// Colour is premultiplied, and such that the screen shows it as it shows Blender's own (`for_overlay`). Below `source.y` of the picture's height a denser one takes its place: `source.x`
// samples of a pixel along each axis, of a picture of `source.zw` pixels.
//
// [Drobot 2014] M. Drobot, "Low Level Optimizations for GCN", Digital Dragons 2014.

vec3 from_octahedron(vec2 place)
{
  vec3 n = vec3(place, 1.0 - abs(place.x) - abs(place.y));
  if (n.z < 0.0) {
    n.xy = (1.0 - abs(n.yx)) * vec2(n.x < 0.0 ? -1.0 : 1.0, n.y < 0.0 ? -1.0 : 1.0);
  }
  return normalize(n);
}

// A reciprocal within 12 % in two operations [Drobot 2014]. Blender's studio light takes it, so nothing nearer is right here.
float rough_reciprocal(float x)
{
  return intBitsToFloat(0x7eef370b - floatBitsToInt(x));
}

float wrapped(float facing, float wrap)
{
  return clamp((facing + wrap) * rough_reciprocal((1.0 + wrap) * (1.0 + wrap)), 0.0, 1.0);
}

// Light of four lamps on a surface seen from `eye`. A lamp's softness `wrap` spreads its diffuse light beyond the terminator and
// turns its highlight around the half-way direction into a broad reflection; what is reflected is not scattered.
vec3 studio_light(vec3 base, vec3 n, vec3 eye, float roughness, float metallic)
{
  vec3 diffuse = shading.ambient.rgb, mirrored = shading.ambient.rgb, reflected = reflect(-eye, n);
  for (int k = 0; k < 4; k++) {
    vec3 to_light = shading.direction[k].xyz;
    float wrap = shading.direction[k].w, facing = dot(n, to_light);
    diffuse += shading.diffuse[k].rgb * wrapped(facing, wrap);
    float shininess = exp2(10.0 * (1.0 - roughness) * (1.0 - wrap) + 1.0);
    float half_way = clamp(dot(normalize(to_light + eye), n), 0.0, 1.0);
    float highlight = pow(half_way, shininess) * clamp(facing, 0.0, 1.0) * (0.125 * shininess + 1.0);
    float broad = wrapped(dot(reflected, to_light), mix(wrap, 1.0, roughness));
    mirrored += shading.specular[k].rgb * mix(highlight, broad, wrap * wrap);
  }
  if (shading.options.y < 0.5) {
    return base * diffuse;
  }
  float fresnel = exp2(-8.35 * clamp(dot(n, eye), 0.0, 1.0)) * (1.0 - roughness);
  vec3 reflectance = mix(mix(vec3(0.05), base, metallic), vec3(1.0), fresnel);
  float scattered = (1.0 - metallic) * (1.0 - dot(reflectance, vec3(1.0 / 3.0)));
  return base * scattered * diffuse + reflectance * mirrored;
}

// Irradiance over pi of nine spherical harmonics, by a direction in the view.
vec3 environment_light(vec3 direction)
{
  vec3 n = mat3(shading.world[0].xyz, shading.world[1].xyz, shading.world[2].xyz) * direction;
  return shading.harmonics[0].rgb + shading.harmonics[1].rgb * n.y + shading.harmonics[2].rgb * n.z +
         shading.harmonics[3].rgb * n.x + shading.harmonics[4].rgb * (n.x * n.y) + shading.harmonics[5].rgb * (n.y * n.z) +
         shading.harmonics[6].rgb * (3.0 * n.z * n.z - 1.0) + shading.harmonics[7].rgb * (n.x * n.z) +
         shading.harmonics[8].rgb * (n.x * n.x - n.y * n.y);
}

// What the scene's view transform makes of a colour (addon/solid_view/view_transform.py), in the light of an sRGB screen.
vec3 viewed(vec3 color)
{
  vec3 place = (float(TRANSFORM_SIDE) - 1.0) * clamp(log2(1.0 + 1024.0 * max(color, vec3(0.0))) / TRANSFORM_STOPS, 0.0, 1.0);
  ivec3 low = min(ivec3(place), ivec3(TRANSFORM_SIDE - 2));
  vec3 part = place - vec3(low), sum = vec3(0.0);
  for (int k = 0; k < 8; k++) {
    ivec3 corner = ivec3(k & 1, (k >> 1) & 1, k >> 2), at = low + corner;
    vec3 share = mix(1.0 - part, part, vec3(corner));
    sum += share.x * share.y * share.z * texelFetch(transform, ivec2(at.x + TRANSFORM_SIDE * at.z, at.y), 0).rgb;
  }
  return mix(sum / 12.92, pow((sum + 0.055) / 1.055, vec3(2.4)), greaterThan(sum, vec3(0.04045)));
}

vec3 shaded(vec4 traced, vec2 coordinate)
{
  int number = int(traced.z + 0.5);
  vec4 base = texelFetch(palette, ivec2(0, number), 0), finish = texelFetch(palette, ivec2(1, number), 0);
  vec3 n = from_octahedron(traced.xy);
  vec2 aside = (2.0 * coordinate - 1.0) * shading.eye.xy + shading.eye.zw;
  vec3 eye = normalize(vec3(-aside * shading.options.w, 1.0));
  if (shading.options.x < 0.5) {
    return base.rgb;
  }
  if (shading.options.x < 1.5) {
    return studio_light(base.rgb, n, eye, finish.x, finish.y);
  }
  if (shading.options.x < 2.5) {
    vec3 side = normalize(cross(vec3(0.0, 1.0, 0.0), eye)), up = cross(eye, side);
    vec2 place = 0.496 * vec2(dot(side, n), dot(up, n)) + 0.5;
    return base.rgb * texture(matcap, place).rgb;
  }
  vec3 mirrored = environment_light(mix(reflect(-eye, n), n, finish.x));
  float fresnel = exp2(-8.35 * clamp(dot(n, eye), 0.0, 1.0)) * (1.0 - finish.x);
  vec3 reflectance = mix(mix(vec3(0.04), base.rgb, finish.y), vec3(1.0), fresnel);
  vec3 light = max(base.rgb * (1.0 - finish.y) * environment_light(n) + reflectance * mirrored, vec3(0.0));
  light += texelFetch(palette, ivec2(3, number), 0).rgb;
  return shading.options.z > 0.5 ? viewed(light) : light;
}

// A 3D view shows what is drawn over it with a gamma of 2.2, but its own pictures in sRGB: a colour (linear, not
// premultiplied) becomes the one that looks as if Blender had drawn it.
vec3 for_overlay(vec3 color)
{
  vec3 c = clamp(color, 0.0, 1.0);
  vec3 shown = mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, greaterThan(c, vec3(0.0031308)));
  return pow(shown, vec3(2.2));
}

float selected_at(float number)
{
  return number < 0.5 ? 0.0 : texelFetch(palette, ivec2(2, int(number + 0.5)), 0).x;
}

// The outline of a selected shape runs outside it, one pixel wide for each step.
vec4 outline(ivec2 pixel, float number, float depth)
{
  vec4 found = vec4(0.0, 0.0, 0.0, 1.0);
  int reach = int(shading.outline_width.x);
  ivec2 last = textureSize(known, 0) - 1;
  for (int y = -reach; y <= reach; y++) {
    for (int x = -reach; x <= reach; x++) {
      ivec2 beside = pixel + ivec2(x, y);
      if (x * x + y * y > reach * reach + 1 || any(lessThan(beside, ivec2(0))) || any(greaterThan(beside, last))) {
        continue;
      }
      vec4 there = texelFetch(known, beside, 0);
      float selected = selected_at(there.z);
      if (selected > 0.5 && abs(there.z - number) > 0.5 && there.w < depth && there.w < found.w) {
        found = vec4(selected > 1.5 ? shading.active_color.rgb : shading.selected_color.rgb, there.w);
      }
    }
  }
  return found;
}

// A sample of the picture that is taken here; beyond the rows of the denser one that are done it is `here` again.
vec4 sample_at(ivec2 at, bool is_denser, vec4 here)
{
  ivec2 size = is_denser ? textureSize(denser, 0) : textureSize(known, 0);
  int rows = is_denser ? int(shading.source.y * float(size.y)) : size.y;
  if (any(lessThan(at, ivec2(0))) || at.x >= size.x || at.y >= rows) {
    return here;
  }
  return is_denser ? texelFetch(denser, at, 0) : texelFetch(known, at, 0);
}

// The line around objects: each of four neighbours, a pixel away, that shows something else darkens by a quarter.
// Gives the share, and the depth of the nearest of them or of the sample itself.
vec2 edge_line(ivec2 at, int side, bool is_denser, vec4 here)
{
  float share = 0.0, depth = here.w;
  for (int k = 0; k < 4; k++) {
    ivec2 offset = side * (ivec2(k == 0, k == 1) - ivec2(k == 2, k == 3));
    vec4 there = sample_at(at + offset, is_denser, here);
    if (abs(there.z - here.z) > 0.5) {
      share += 0.25;
      depth = there.z > 0.5 ? min(depth, there.w) : depth;
    }
  }
  return vec2(share, depth);
}

void main()
{
  vec2 place = picture_coordinate * vec2(textureSize(known, 0));
  bool is_denser = picture_coordinate.y < shading.source.y;
  int side = is_denser ? int(shading.source.x) : 1;  // samples of a pixel along each axis
  ivec2 corner = is_denser ? side * ivec2(picture_coordinate * shading.source.zw) : ivec2(place);
  float weight = 1.0 / float(side * side), depth = 1.0, number = 0.0;
  vec4 sum = vec4(0.0);
  for (int k = 0; k < side * side; k++) {
    ivec2 at = corner + ivec2(k % side, k / side);
    vec4 traced = is_denser ? texelFetch(denser, at, 0) : texelFetch(known, at, 0);
    vec4 seen = traced.z > 0.5 ? vec4(shaded(traced, picture_coordinate), 1.0) : vec4(0.0);
    if (traced.z > 0.5) {
      number = traced.w < depth ? traced.z : number;
      depth = min(depth, traced.w);
    }
    if (shading.edge_color.a > 0.0) {
      vec2 line = edge_line(at, side, is_denser, traced);
      seen = mix(seen, vec4(shading.edge_color.rgb, 1.0), shading.edge_color.a * line.x);
      depth = line.x > 0.0 ? min(depth, line.y) : depth;
    }
    sum += weight * seen;
  }
  if (shading.outline_width.x > 0.5) {
    vec4 line = outline(ivec2(place), number, depth);
    if (line.w < 1.0) {
      sum = sum + vec4(line.rgb, 1.0) * (1.0 - sum.a);
      depth = min(depth, line.w);
    }
  }
  if (sum.a <= 0.0) {
    discard;
  }
  fragment_color = vec4(for_overlay(sum.rgb / sum.a) * sum.a, sum.a);
  gl_FragDepth = depth;
}
