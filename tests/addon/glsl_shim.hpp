// As much of GLSL as the generated network uses, in C++: vectors in float32, without swizzles but for single components.
#include <cmath>

struct vec2 {
  float x, y;
  vec2(float a, float b) : x(a), y(b) {}
};
struct vec3 {
  float x, y, z;
  vec3(float a, float b, float c) : x(a), y(b), z(c) {}
};
struct vec4 {
  float x, y, z, w;
  vec4() : x(0), y(0), z(0), w(0) {}
  explicit vec4(float a) : x(a), y(a), z(a), w(a) {}
  vec4(float a, float b, float c, float d) : x(a), y(b), z(c), w(d) {}
  vec4(vec3 v, float d) : x(v.x), y(v.y), z(v.z), w(d) {}
};

#define OPERATOR(op) \
  inline vec4 operator op(vec4 a, vec4 b) { return vec4(a.x op b.x, a.y op b.y, a.z op b.z, a.w op b.w); } \
  inline vec4 operator op(vec4 a, float b) { return a op vec4(b); } \
  inline vec4 operator op(float a, vec4 b) { return vec4(a) op b; }
OPERATOR(+)
OPERATOR(-)
OPERATOR(*)
OPERATOR(/)
inline vec4 operator-(vec4 a) { return 0.0f - a; }

#define EACH(name, call) \
  inline vec4 name(vec4 a) { return vec4(call(a.x), call(a.y), call(a.z), call(a.w)); }
EACH(exp, std::exp)
EACH(log, std::log)
EACH(sin, std::sin)
EACH(cos, std::cos)
EACH(abs, std::fabs)
inline float one_sign(float a) { return a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : 0.0f; }
EACH(sign, one_sign)
inline float max(float a, float b) { return std::fmax(a, b); }
inline float min(float a, float b) { return std::fmin(a, b); }
inline vec4 max(vec4 a, vec4 b) { return vec4(max(a.x, b.x), max(a.y, b.y), max(a.z, b.z), max(a.w, b.w)); }
inline vec4 min(vec4 a, vec4 b) { return vec4(min(a.x, b.x), min(a.y, b.y), min(a.z, b.z), min(a.w, b.w)); }
inline vec4 max(vec4 a, float b) { return max(a, vec4(b)); }
inline vec4 min(vec4 a, float b) { return min(a, vec4(b)); }
inline vec4 clamp(vec4 a, float low, float high) { return min(max(a, low), high); }
inline float one_step(float edge, float a) { return a < edge ? 0.0f : 1.0f; }
inline vec4 step(float edge, vec4 a)
{
  return vec4(one_step(edge, a.x), one_step(edge, a.y), one_step(edge, a.z), one_step(edge, a.w));
}
inline float dot(vec4 a, vec4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
