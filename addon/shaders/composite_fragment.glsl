// A finished picture with its depth. Colour is scene-linear and premultiplied: Blender applies the view transform.
// The picture may be smaller than the view while it moves: colour is smoothed, depth is the nearest pixel's, since a
// depth between two surfaces is on neither.
void main()
{
  ivec2 size = textureSize(depth_picture, 0);
  ivec2 pixel = clamp(ivec2(picture_coordinate * vec2(size)), ivec2(0), size - 1);
  fragment_color = texture(color_picture, picture_coordinate);
  gl_FragDepth = texelFetch(depth_picture, pixel, 0).r;
}
