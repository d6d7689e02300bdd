// First crossing of each pixel's ray with the zero set of the network whose source follows in front of this.
//
// Far from the surface the ray leaves whole blocks of cells at once; near it a step is |f| over a bound on the slope in
// the cell, so that it never crosses the surface unseen (addon/solid_view/step_bytes.py). A ray that skims along a surface would
// take thousands of these: after `PATIENCE` evaluations its steps grow, until it leaves the surface or crosses it, and then the
// crossing is found between its last two places. Written: the normal in view
// space on an octahedron, the object's number, and the value in the depth buffer, in that order.
// Where `finer` is set, only pixels on an edge of the coarser picture are traced; the others are copied from it.

vec2 on_octahedron(vec3 n)
{
  n /= abs(n.x) + abs(n.y) + abs(n.z);
  vec2 folded = (1.0 - abs(n.yx)) * vec2(n.x < 0.0 ? -1.0 : 1.0, n.y < 0.0 ? -1.0 : 1.0);
  return n.z < 0.0 ? folded : n.xy;
}

bool is_edge(ivec2 pixel)
{
  vec4 here = texelFetch(coarser, pixel, 0);
  ivec2 last = textureSize(coarser, 0) - 1;
  float low = here.w, high = here.w;
  for (int k = 0; k < 9; k++) {
    ivec2 beside = clamp(pixel + ivec2(k % 3 - 1, k / 3 - 1), ivec2(0), last);
    vec4 there = texelFetch(coarser, beside, 0);
    if (abs(there.z - here.z) > 0.5) {
      return true;
    }
    low = min(low, there.w);
    high = max(high, there.w);
  }
  return here.z > 0.5 && high - low > shape.misc.z * (1.0 - here.w) + shape.misc.w;
}

void main()
{
  vec2 place = 2.0 * gl_FragCoord.xy / shape.picture.xy - 1.0;
  if (shape.picture.z > 0.5) {
    ivec2 pixel = ivec2(gl_FragCoord.xy / shape.picture.z);
    if (!is_edge(pixel)) {
      vec4 known = texelFetch(coarser, pixel, 0);
      if (abs(known.z - shape.limits.z) > 0.5) {
        discard;
      }
      surface = known;
      gl_FragDepth = known.w;
      return;
    }
  }
  vec3 origin = shape.origin.xyz + place.x * shape.origin_x.xyz + place.y * shape.origin_y.xyz;
  vec3 direction = shape.direction.xyz + place.x * shape.direction_x.xyz + place.y * shape.direction_y.xyz;
  vec3 step_of = shape.origin_x.xyz, turn_of = shape.direction_x.xyz;
  direction += vec3(lessThan(abs(direction), vec3(1e-20))) * 1e-20;
  vec3 inverse = 1.0 / direction;
  vec3 enter = (shape.box_low.xyz - origin) * inverse, leave = (shape.box_high.xyz - origin) * inverse;
  vec3 first = min(enter, leave), last = max(enter, leave);
  float s = max(max(first.x, first.y), max(first.z, shape.limits.x));
  float s_end = min(min(last.x, last.y), min(last.z, shape.limits.y));
  for (int k = 0; k < int(shape.picture.w); k++) {
    float height = dot(shape.planes[k].xyz, origin) + shape.planes[k].w;
    float climb = dot(shape.planes[k].xyz, direction);
    if (climb > 0.0) {
      s = max(s, -height / climb);
    }
    else if (climb < 0.0) {
      s_end = min(s_end, -height / climb);
    }
    else if (height < 0.0) {
      s_end = s - 1.0;
    }
  }
  float s_per_length = inversesqrt(dot(direction, direction));
  float nudge = 1e-5 * s_per_length;
  const float half_count = 0.5 * float(RESOLUTION);
  const float size = 2.0 / float(RESOLUTION);
  float side = 0.0, gap = 1e30, tolerance = 0.0;
  float reach = 1.0, least = 1e30;  // of a step, in safe ones; the smallest gap since steps were safe
  float s_before = s, gap_before = 0.0, s_beyond = s, gap_beyond = 0.0;  // of the surface
  bool hit = false, crossed = false;
  int evaluations = 0;
  vec3 p = origin;
  for (int i = 0; i < MOST_STEPS && s < s_end && !hit; i++) {
    p = clamp(origin + s * direction, vec3(-1.0), vec3(1.0));
    vec3 cell = clamp(floor((p + 1.0) * half_count), vec3(0.0), vec3(float(RESOLUTION) - 1.0));
    float code = floor(255.0 * texelFetch(steps, ivec2(int(cell.x), int(cell.y + float(RESOLUTION) * cell.z)), 0).r + 0.5);
    float away = max(code - 128.0, 0.0);
    vec3 low = (cell - away) * size - 1.0, high = (cell + away + 1.0) * size - 1.0;
    vec3 exits = max((low - origin) * inverse, (high - origin) * inverse);
    float s_exit = min(exits.x, min(exits.y, exits.z)) + nudge;
    if (code >= 128.0 && !crossed) {
      s = max(s_exit, s + nudge);
      reach = 1.0;
      least = 1e30;
      continue;
    }
    if (evaluations >= MOST_EVALUATIONS) {
      break;
    }
    evaluations++;
    float value = network_value(p);
    side = side == 0.0 ? (value < 0.0 ? -1.0 : 1.0) : side;
    gap = value * side;
    tolerance = clamp(shape.misc.x * length(step_of + s * turn_of), 1e-5, 2e-3);
    hit = abs(gap) < tolerance || (gap < 0.0 && reach <= 1.0 && !crossed);
    if (hit) {
      break;
    }
    if (gap < 0.0) {
      crossed = true;
      s_beyond = s;
      gap_beyond = gap;
    }
    else {
      s_before = s;
      gap_before = gap;
    }
    if (crossed) {
      s = mix(s_before, s_beyond, clamp(gap_before / (gap_before - gap_beyond), 0.1, 0.9));
    }
    else {
      bool leaves = gap > 2.0 * least;
      reach = leaves ? 1.0 : (evaluations > PATIENCE ? GROWTH * reach : 1.0);
      least = leaves ? gap : min(least, gap);
      s = min(s + max(reach * gap * 127.0 / (code * shape.misc.y) * s_per_length, nudge), max(s_exit, s + nudge));
    }
  }
  if (!hit && !crossed && !(evaluations >= MOST_EVALUATIONS && gap < 8.0 * tolerance)) {
    discard;
  }
  vec3 gradient;
  float value;
  for (int k = 0; k < 3; k++) {
    vec2 found = network_slope(p, vec3(equal(ivec3(k), ivec3(0, 1, 2))));
    value = found.x;
    if (k == 0) {
      gradient.x = found.y;
    }
    else if (k == 1) {
      gradient.y = found.y;
    }
    else {
      gradient.z = found.y;
    }
  }
  float climb = dot(gradient, direction);
  float most = 4.0 * tolerance * s_per_length;
  if (abs(climb) > 1e-6) {
    s -= clamp(value / climb, -most, most);
  }
  vec3 normal = mat3(shape.normal_x.xyz, shape.normal_y.xyz, shape.normal_z.xyz) * gradient;
  normal = normalize(side * normal);  // a ray that just grazes may see it turned away a little: turned round it would be a dark speck
  float t = s + shape.depth.z;
  float depth = 0.5 + 0.5 * (shape.depth.w > 0.5 ? shape.depth.x + shape.depth.y / t : shape.depth.x + shape.depth.y * t);
  depth = clamp(depth, 0.0, 1.0);
  surface = vec4(on_octahedron(normal), shape.limits.z, depth);
  gl_FragDepth = depth;
}
