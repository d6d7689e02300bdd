"""Carries an object's animation over to its neural object: action, NLA tracks, drivers, custom properties.

Actions are shared, as linked duplicates share them; drivers and tracks are copied. What moves a modifier stays with the
source, whose modifiers are in the shape already.
"""

from __future__ import annotations

import contextlib
from typing import Any

import bpy

OF_SOURCE_ONLY = ("modifiers[", "data.", "pose.", "material_slots[", "particle_systems[")  # starts of paths
COPIED_STRIP = (
    *("frame_start", "frame_end", "action_frame_start", "action_frame_end", "scale", "repeat", "use_reverse"),
    *("blend_type", "blend_in", "blend_out", "use_auto_blend", "extrapolation", "use_sync_length", "mute"),
    *("use_animated_influence", "influence", "use_animated_time", "strip_time"),
)


def copy_animation(source: bpy.types.Object, obj: bpy.types.Object) -> None:
    """Give `obj` what moves `source`; constraints have to be there already, drivers may name them."""
    _copy_custom_properties(source, obj)
    animation = source.animation_data
    if animation is None:
        return
    ours = obj.animation_data_create()
    for name in ("action_blend_type", "action_extrapolation", "action_influence", "use_nla"):
        setattr(ours, name, getattr(animation, name))
    if animation.action is not None:
        ours.action = animation.action
        _copy_slot(animation, ours)
    for track in animation.nla_tracks:
        _copy_track(track, ours)
    for driver in animation.drivers:
        if _belongs(driver.data_path):
            ours.drivers.from_existing(src_driver=driver)


def left_behind(source: bpy.types.Object) -> list[str]:
    """Say what of an object's animation its neural object will not have."""
    animation = source.animation_data
    if animation is None:
        return []
    others = [
        d.data_path
        for d in animation.drivers
        if not _belongs(d.data_path) and not d.data_path.startswith("modifiers[")
    ]
    kinds = [strip.type for track in animation.nla_tracks for strip in track.strips if strip.type != "CLIP"]
    texts = []
    if others:
        texts.append(
            f"The driver of {others[0]} stays with {source.name}; add one to the neural object if it needs it."
        )
    if kinds:
        texts.append(
            f"An NLA strip of type {kinds[0].lower()} of {source.name} was not carried over; bake the animation to an action."
        )
    return texts


def _belongs(path: str) -> bool:
    return not path.startswith(OF_SOURCE_ONLY)


def _copy_track(track: bpy.types.NlaTrack, ours: bpy.types.AnimData) -> None:
    new = ours.nla_tracks.new()
    for name in ("name", "mute", "is_solo", "lock"):
        setattr(new, name, getattr(track, name))
    for strip in track.strips:
        if strip.type != "CLIP" or strip.action is None:
            continue
        copied = new.strips.new(strip.name, int(strip.frame_start), strip.action)
        _copy_slot(strip, copied)
        for name in COPIED_STRIP:
            with contextlib.suppress(AttributeError):  # read-only where another setting decides it
                setattr(copied, name, getattr(strip, name))


def _copy_slot(theirs: Any, ours: Any) -> None:
    if getattr(theirs, "action_slot", None) is not None:  # from 4.4
        ours.action_slot = theirs.action_slot


def _copy_custom_properties(source: bpy.types.Object, obj: bpy.types.Object) -> None:
    for key in source.keys():  # noqa: SIM118  (gives names)
        value = source[key]
        obj[key] = (
            value.to_list()
            if hasattr(value, "to_list")
            else value.to_dict()
            if hasattr(value, "to_dict")
            else value
        )
