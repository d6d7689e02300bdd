// The rectangle of the picture that a shape's box covers; `position` is its corner in clip space.
void main()
{
  picture_coordinate = 0.5 * position + 0.5;
  gl_Position = vec4(position, 0.0, 1.0);
}
