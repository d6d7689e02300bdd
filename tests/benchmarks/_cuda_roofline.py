"""How much of a chip's peak some work is, by counting multiplications: for where NVIDIA's profiler is not at hand.

A look at a network in full precision takes one fused multiplication and addition a weight in the ordinary units; a look on
the matrix unit takes three a weight, of matrices padded to the kernel's width and to 16 inputs (half_network.cuh).
Activations, the walk through cells and all memory traffic are left out, so a share is what is useful of the peak.
"""

from engine.cuda.network_data import kernel_width

# Multiplications and additions a clock of one multiprocessor: float32; half precision with float32 sums, dense.
# NVIDIA's architecture papers: Turing, Ampere GA100 and GA102, Ada, Hopper, Blackwell. GeForce cards of 75, 86, 89 and 120
# sum in float32 at half the rate of the workstation cards that stand here, so their share is told too low.
PEAKS = {
    75: (64, 512),
    80: (64, 1024),
    86: (128, 512),
    89: (128, 512),
    90: (128, 2048),
    100: (128, 4096),
    120: (128, 512),
}


def weights_of(architecture):
    """Multiplications of one look in full precision."""
    return sum(rows * columns for rows, columns in architecture.layer_shapes())


def padded_weights_of(architecture):
    """Multiplications of one look on the matrix unit; its last layer is not there, and takes a hundredth."""
    width = kernel_width(architecture)
    encoded = -(-architecture.encoded_size // 16) * 16
    inputs = (
        (0 if k == 0 else width) + (encoded if k == 0 or k in architecture.skips else 0)
        for k in range(architecture.depth)
    )
    return 3 * width * sum(inputs)


def peak(info, half):
    """Multiplications a second of a device, or None where it is not known."""
    number = 10 * info.capability[0] + info.capability[1]
    known = [chip for chip in PEAKS if chip // 10 == number // 10 and chip <= number]
    if not known or not info.clock_hz:
        return None
    return PEAKS[max(known)][half] * info.multiprocessors * info.clock_hz


def share(info, architecture, full, half, seconds):
    """Percent of its peak that a device reaches with so many looks of each kind in so many seconds, or None."""
    peaks = peak(info, False), peak(info, True)
    if None in peaks:
        return None
    needed = full * weights_of(architecture) / peaks[0] + half * padded_weights_of(architecture) / peaks[1]
    return 100.0 * needed / seconds
