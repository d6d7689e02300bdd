"""Clean closed shapes and what can be wrong with them, made by code from a seed."""

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from engine.ground_truth.mesh_files import load_mesh
from tests.shapes.parametric import blob, knot

ROOT_MESH = "examples/spot.obj"


def clean_shapes(root) -> dict[str, trimesh.Trimesh]:
    """Six closed, consistently oriented shapes of different kinds."""
    spot = load_mesh(root / ROOT_MESH)
    fine_box = trimesh.creation.box((1.0, 1.4, 0.8))
    for _ in range(4):
        fine_box = fine_box.subdivide()
    return {
        "ball": trimesh.creation.icosphere(4),
        "torus": trimesh.creation.torus(1.0, 0.45, major_sections=64, minor_sections=32),
        "spot": trimesh.Trimesh(spot.vertices, spot.faces, process=False),
        "box": fine_box,
        "blob": trimesh.Trimesh(*blob(3, 6), process=False),
        "knot": trimesh.Trimesh(*knot(2, 3, 0.35), process=False),
    }


def patch(shape: trimesh.Trimesh, share: float, seed: int) -> np.ndarray:
    """Faces (F,) of one connected piece of a share of the area, grown over the surface around a random face."""
    edges, middles = shape.face_adjacency, shape.triangles_center
    lengths = np.linalg.norm(middles[edges[:, 0]] - middles[edges[:, 1]], axis=1)
    graph = coo_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(middles),) * 2).tocsr()
    start = int(np.random.default_rng(seed).integers(len(middles)))
    nearest_first = np.argsort(dijkstra(graph, directed=False, indices=start))
    inside = np.cumsum(shape.area_faces[nearest_first]) <= share * shape.area
    chosen = np.zeros(len(middles), bool)
    chosen[nearest_first[inside]] = True
    return chosen


def without(shape, faces):
    return shape.vertices, shape.faces[~faces]


def hole_in_one_piece(shape, seed):
    return without(shape, patch(shape, 0.1, seed))


def spread_holes(shape, seed):
    return without(shape, np.random.default_rng(seed).random(len(shape.faces)) < 0.1)


def four_holes(shape, seed):
    return without(shape, np.any([patch(shape, 0.025, 10 * seed + k) for k in range(4)], axis=0))


def turned(shape, seed):
    faces = shape.faces.copy()
    chosen = np.random.default_rng(seed).random(len(faces)) < 0.3
    faces[chosen] = faces[chosen][:, ::-1]
    return shape.vertices, faces


def inside_out(shape, seed):
    return shape.vertices, shape.faces[:, ::-1]


def doubled(shape, seed):
    return shape.vertices, np.vstack([shape.faces, shape.faces])


def doubled_shifted(shape, seed):
    """A second shell a little inside the first."""
    inner = shape.vertices - 0.004 * shape.scale * shape.vertex_normals
    return _both((shape.vertices, shape.faces), (inner, shape.faces))


def nested(shape, seed):
    """A ball inside the solid, facing outward: a part, not a cavity."""
    ball = trimesh.creation.icosphere(2, radius=0.02 * shape.scale)
    face = int(np.random.default_rng(seed).integers(len(shape.faces)))
    centre = shape.triangles_center[face] - 0.05 * shape.scale * shape.face_normals[face]
    return _both((shape.vertices, shape.faces), (ball.vertices + centre, ball.faces))


def soup(shape, seed):
    order = np.random.default_rng(seed).permutation(len(shape.faces))
    return shape.triangles[order].reshape(-1, 3), np.arange(3 * len(order)).reshape(-1, 3)


def torn_soup(shape, seed):
    """No two triangles share a corner: all are a little off."""
    corners, faces = soup(shape, seed)
    noise = np.random.default_rng(seed + 1).standard_normal(corners.shape)
    return corners + 1e-4 * shape.scale * noise, faces


def crossed(shape, seed):
    """A bar through the solid whose ends stay inside it would change nothing; here a copy of the shape does."""
    copy = shape.vertices + 1e-3 * shape.scale * np.array([1.0, 0.7, 0.4])
    return _both((shape.vertices, shape.faces), (copy, shape.faces))


def fins(shape, seed):
    """A fin of two triangles on a few hundred edges: three faces to each of them."""
    rng = np.random.default_rng(seed)
    chosen = shape.edges_unique[rng.choice(len(shape.edges_unique), len(shape.edges_unique) // 50)]
    tips = shape.vertices[chosen].mean(axis=1) + 0.004 * shape.scale * rng.standard_normal((len(chosen), 3))
    numbers = len(shape.vertices) + np.arange(len(chosen))
    return np.vstack([shape.vertices, tips]), np.vstack([shape.faces, np.column_stack([chosen, numbers])])


def with_a_sheet(shape, seed):
    """A flat square beside the solid."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * 0.25 * shape.scale
    place = shape.bounds[1] * [1.05, 1.0, 1.0] - [0.0, 0.25 * shape.scale, 0.1 * shape.scale]
    corners[:, 0] *= 0.2
    return _both((shape.vertices, shape.faces), (corners + place, np.array([[0, 1, 2], [0, 2, 3]])))


def hole_turned_and_doubled(shape, seed):
    vertices, faces = hole_in_one_piece(shape, seed)
    rng = np.random.default_rng(seed + 1)
    faces = np.vstack([faces, faces[rng.random(len(faces)) < 0.5]])
    chosen = rng.random(len(faces)) < 0.3
    faces[chosen] = faces[chosen][:, ::-1]
    return vertices, faces


def soup_with_holes_turned(shape, seed):
    vertices, faces = four_holes(shape, seed)
    faces = faces.copy()
    chosen = np.random.default_rng(seed + 1).random(len(faces)) < 0.3
    faces[chosen] = faces[chosen][:, ::-1]
    return vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3)


def _both(one, other):
    return np.vstack([one[0], other[0]]), np.vstack([one[1], other[1] + len(one[0])])


DEFECTS = (
    hole_in_one_piece,
    spread_holes,
    four_holes,
    turned,
    inside_out,
    doubled,
    doubled_shifted,
    nested,
    soup,
    torn_soup,
    crossed,
    fins,
    with_a_sheet,
    hole_turned_and_doubled,
    soup_with_holes_turned,
)
