// Vectors of three numbers.
#pragma once

#include "portable.cuh"

template <class T>
NI T dot3(const T a[3], const T b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

template <class T>
NI void normalize3(T v[3])
{
    const T length = sqrt(dot3(v, v));
    if (length > T(0))
        for (int axis = 0; axis < 3; ++axis) v[axis] /= length;
}

template <class T>
NI void load3(const T* array, int64_t row, T out[3])
{
    for (int axis = 0; axis < 3; ++axis) out[axis] = array[3 * row + axis];
}

template <class T>
NI void store3(T* array, int64_t row, const T v[3])
{
    for (int axis = 0; axis < 3; ++axis) array[3 * row + axis] = v[axis];
}

template <class T>
NI void cross3(const T a[3], const T b[3], T out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// Two unit vectors across a unit normal. Reference: engine/transforms.py, orthonormal_basis.
template <class T>
NI void basis3(const T n[3], T tangent[3], T bitangent[3])
{
    const T sign = n[2] < T(0) || (n[2] == T(0) && T(1) / n[2] < T(0)) ? T(-1) : T(1);
    const T a = T(-1) / (sign + n[2]), b = n[0] * n[1] * a;
    tangent[0] = T(1) + sign * n[0] * n[0] * a;
    tangent[1] = sign * b;
    tangent[2] = -sign * n[0];
    bitangent[0] = b;
    bitangent[1] = sign + n[1] * n[1] * a;
    bitangent[2] = -n[1];
}
