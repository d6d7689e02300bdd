"""Set Up Z Composite: our render of the neural implicits stands in the picture that Cycles or EEVEE makes of the scene.

A second scene with the same objects is rendered by our engine, native ones as holdout, so that its alpha already holds who
hides whom, with smooth edges. The compositor lays it over the scene's own picture wherever its depth is not behind that one's,
which keeps what only the other engine can see (hair, volumes, displacement) in front. In the scene itself the proxies are
seen indirectly only: they cast shadows and show in reflections.
"""

from __future__ import annotations

import bpy

from .neural_object import is_neural
from .render_panels import ENGINE

COLLECTION = "Neural Implicit Composite"
PREFIX = "Neural Implicit "
PARTS = ("Scene", "Neural", "Limit", "Mask", "Over")
NODE_GROUP_FROM = (5, 0, 0)  # Blender since which the compositor is a node group like any other
TOLERANCE = 1.002  # of depth: the two engines' rays through a pixel are not quite the same


class NEURAL_IMPLICIT_OT_z_composite(bpy.types.Operator):
    """Make a scene that renders the neural implicits, and compositor nodes that put them into this scene's picture at the right depth; run it again after adding some"""

    bl_idname = "neural_implicit.z_composite"
    bl_label = "Set Up Z Composite"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a local scene."""
        return context.scene is not None and context.scene.library is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make scene, collection and nodes."""
        scene, layer = context.scene, context.view_layer
        neural = [obj for obj in scene.objects if is_neural(obj)]
        if scene.render.engine == ENGINE or not neural:
            self.report({"ERROR"}, _refusal(bool(neural)))
            return {"CANCELLED"}
        _show_indirectly(scene, neural)
        partner = _neural_scene(scene, layer)
        layer.use_pass_z = True
        connect(scene, layer, partner)
        self.report(
            {"INFO"}, f"{len(neural)} neural implicits stand in the picture of {scene.name}; press F12"
        )
        return {"FINISHED"}


def _refusal(has_neural: bool) -> str:
    if has_neural:
        return "Choose Cycles or EEVEE as this scene's render engine first: it renders everything but the neural implicits."
    return "This scene has no neural implicit. Convert an object first (Object > Convert)."


def _show_indirectly(scene: bpy.types.Scene, neural: list[bpy.types.Object]) -> None:
    """Put the neural objects into a collection of which a camera sees nothing."""
    own = [c for c in scene.collection.children if c.name.partition(".")[0] == COLLECTION]
    collection = own[0] if own else bpy.data.collections.new(COLLECTION)
    if not own:
        scene.collection.children.link(collection)
    for obj in neural:
        if collection not in obj.users_collection:
            collection.objects.link(obj)
    for layer in scene.view_layers:
        layer.layer_collection.children[collection.name].indirect_only = True


def _neural_scene(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> bpy.types.Scene:
    """Give the scene that renders the neural objects, made anew."""
    settings = scene.neural_implicit_render
    if settings.partner is not None and settings.partner != scene:
        bpy.data.scenes.remove(settings.partner)
    settings.partner = None
    partner = scene.copy()
    partner.name = f"{scene.name} Neural"
    for other in [other for other in partner.view_layers if other.name != layer.name]:
        partner.view_layers.remove(other)
    _forget_compositor(partner)
    partner.render.engine = ENGINE
    partner.render.film_transparent = True
    partner.neural_implicit_render.native_holdout = True
    only = partner.view_layers[0]
    only.use_pass_z = True
    for child in only.layer_collection.children:
        if child.name.partition(".")[0] == COLLECTION:
            child.indirect_only = False
    settings.partner = partner
    return partner


def _forget_compositor(scene: bpy.types.Scene) -> None:
    scene.render.use_compositing = False
    if bpy.app.version >= NODE_GROUP_FROM:
        scene.compositing_node_group = None
    else:
        scene.use_nodes = False


def connect(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, partner: bpy.types.Scene) -> None:
    """Lay a scene's picture over another's, in whatever the compositor makes of that already."""
    tree = compositor_tree(scene)
    for name in PARTS:
        old = tree.nodes.get(PREFIX + name)
        if old is not None:
            _take_out(tree, old) if name == "Over" else tree.nodes.remove(old)
    end = output_socket(tree)
    before = end.links[0].from_socket if end.is_linked else None
    base = _layers(tree, "Scene", scene, layer.name, (-700, 200))
    neural = _layers(tree, "Neural", partner, layer.name, (-700, -250))
    limit, mask = (
        _math(tree, "Limit", "MULTIPLY", (-400, -100)),
        _math(tree, "Mask", "LESS_THAN", (-220, -200)),
    )
    over = _node(tree, ("CompositorNodeAlphaOver",), "Over", (0, 100))
    factor, background, foreground = _over_inputs(over)
    links = tree.links
    links.new(base.outputs["Depth"], limit.inputs[0])
    limit.inputs[1].default_value = TOLERANCE
    links.new(neural.outputs["Depth"], mask.inputs[0])
    links.new(limit.outputs[0], mask.inputs[1])
    links.new(mask.outputs[0], factor)
    links.new(before if before is not None else base.outputs["Image"], background)
    links.new(neural.outputs["Image"], foreground)
    links.new(over.outputs[0], end)
    scene.render.use_compositing = True


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Give a scene's compositor, switched on; made where there is none."""
    if bpy.app.version < NODE_GROUP_FROM:
        scene.use_nodes = True
        return scene.node_tree
    tree = scene.compositing_node_group
    if tree is None:
        tree = bpy.data.node_groups.new(f"{scene.name} Compositor", "CompositorNodeTree")
        scene.compositing_node_group = tree
    return tree


def output_socket(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """Give where the compositor's picture goes to; made where there is none."""
    if bpy.app.version >= NODE_GROUP_FROM:
        kind = "NodeGroupOutput"
        if not any(
            item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree
        ):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    else:
        kind = "CompositorNodeComposite"
    found = next((node for node in tree.nodes if node.bl_idname == kind), None)
    if found is None:
        found = tree.nodes.new(kind)
        found.location = (250, 100)
    return found.inputs[0]


def _take_out(tree: bpy.types.NodeTree, over: bpy.types.Node) -> None:
    """Remove an older Alpha Over of ours; what was below it goes where it went."""
    background = _over_inputs(over)[1]
    below = background.links[0].from_socket if background.is_linked else None
    above = [link.to_socket for link in over.outputs[0].links]
    tree.nodes.remove(over)
    for socket in above if below is not None else ():
        tree.links.new(below, socket)


def _over_inputs(over: bpy.types.Node) -> tuple[bpy.types.NodeSocket, ...]:
    """Give factor, background and foreground of an Alpha Over, whose sockets changed their order in 5.0."""
    if "Background" in over.inputs:
        factor = next(over.inputs[name] for name in ("Factor", "Fac") if name in over.inputs)
        return factor, over.inputs["Background"], over.inputs["Foreground"]
    return over.inputs[0], over.inputs[1], over.inputs[2]


def _layers(
    tree: bpy.types.NodeTree, name: str, scene: bpy.types.Scene, layer: str, place: tuple[int, int]
) -> bpy.types.Node:
    node = _node(tree, ("CompositorNodeRLayers",), name, place)
    node.scene = scene
    node.layer = layer
    return node


def _math(tree: bpy.types.NodeTree, name: str, operation: str, place: tuple[int, int]) -> bpy.types.Node:
    node = _node(tree, ("CompositorNodeMath", "ShaderNodeMath"), name, place)
    node.operation = operation
    return node


def _node(
    tree: bpy.types.NodeTree, kinds: tuple[str, ...], name: str, place: tuple[int, int]
) -> bpy.types.Node:
    kind = next(kind for kind in kinds if hasattr(bpy.types, kind))
    node = tree.nodes.new(kind)
    node.name = node.label = PREFIX + name
    node.location = place
    return node


class NEURAL_IMPLICIT_PT_composite(bpy.types.Panel):
    """How the neural implicits come into another engine's picture."""

    bl_label = "Neural Implicits"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {"CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT", "BLENDER_WORKBENCH"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for other engines, where the scene has neural objects."""
        return context.engine in cls.COMPAT_ENGINES and any(map(is_neural, context.scene.objects))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the button, and what it has made."""
        layout, settings = self.layout, context.scene.neural_implicit_render
        made = settings.partner is not None
        text = "Update Z Composite" if made else "Set Up Z Composite"
        layout.operator(NEURAL_IMPLICIT_OT_z_composite.bl_idname, text=text, icon="NODE_COMPOSITING")
        if made:
            layout.prop(settings, "partner")
            layout.prop(settings.partner.neural_implicit_render, "samples")
        else:
            layout.label(text="Without it this engine renders their proxies.", icon="INFO")


register, unregister = bpy.utils.register_classes_factory(
    (NEURAL_IMPLICIT_OT_z_composite, NEURAL_IMPLICIT_PT_composite)
)
