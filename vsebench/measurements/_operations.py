"""Operations of PyTorch that multiply no matrices."""

from __future__ import annotations

from typing import Any

import torch

_CREATED = """
    empty empty_like empty_permuted empty_strided new_empty new_empty_strided new_full new_ones new_zeros full full_like
    ones ones_like zeros zeros_like scalar_tensor arange linspace eye fill zero tril_indices triu_indices hann_window
    hamming_window rand rand_like randint randint_like randn randn_like randperm random uniform normal bernoulli
    multinomial exponential native_dropout _fused_dropout _cudnn_init_dropout_state
"""
_MOVED = """
    clone copy _to_copy lift lift_fresh lift_fresh_copy set resize resize_as _reshape_copy _unsafe_view _pin_memory
    cat stack _stack unsafe_split unsafe_split_with_sizes split_with_sizes_copy repeat repeat_interleave roll flip rot90
    tril triu diag_embed block_diag constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d
    replication_pad2d pixel_shuffle pixel_unshuffle channel_shuffle im2col col2im _pack_padded_sequence
"""
_INDEXED = """
    index _unsafe_index _unsafe_masked_index index_select index_add index_copy index_fill index_put _index_put_impl
    index_reduce gather scatter scatter_add scatter_reduce select_scatter slice_scatter diagonal_scatter take put where
    masked_fill masked_scatter masked_select embedding embedding_renorm _embedding_bag _embedding_bag_forward_only
    nonzero nonzero_static bucketize searchsorted isin sort topk kthvalue unique_consecutive unique_dim _unique _unique2
"""
_ELEMENT_WISE = """
    add sub rsub mul div floor_divide remainder pow maximum minimum eq ne lt le gt ge isinf isnan bitwise_and bitwise_or
    bitwise_xor relu _prelu_kernel gelu glu elu celu hardswish hardtanh leaky_relu log_sigmoid_forward softplus
    threshold _thnn_fused_lstm_cell _thnn_fused_gru_cell
"""
_REDUCED = """
    all any amax amin aminmax _aminmax argmax argmin max min median nanmedian mode sum nansum mean prod var std var_mean
    std_mean norm linalg_vector_norm linalg__powsum logsumexp cumsum cumprod cummax cummin _cummax_helper _cummin_helper
    logcumsumexp _logcumsumexp count_nonzero bincount histc softmax _softmax _safe_softmax _masked_softmax log_softmax
    _log_softmax nll_loss_forward nll_loss2d_forward binary_cross_entropy binary_cross_entropy_with_logits mse_loss
    smooth_l1_loss huber_loss
"""
_NORMALIZED = """
    native_layer_norm _fused_rms_norm native_group_norm native_batch_norm cudnn_batch_norm _batch_norm_no_update
    _batch_norm_with_update _native_batch_norm_legit _native_batch_norm_legit_no_training _weight_norm_interface renorm
"""
_RESAMPLED = """
    adaptive_avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d avg_pool1d
    avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices upsample_nearest1d upsample_nearest2d
    _upsample_nearest_exact1d _upsample_nearest_exact2d upsample_linear1d upsample_bilinear2d _upsample_bilinear2d_aa
    upsample_bicubic2d _upsample_bicubic2d_aa grid_sampler_2d
"""
_ASKED = """
    _local_scalar_dense equal is_same_size is_pinned record_stream _assert_async _assert_scalar _assert_tensor_metadata
    _is_all_true _is_any_true _linalg_check_errors
"""
#: Names without the underscore of in-place forms. Views and what PyTorch tags as point-wise are not listed.
FREE = frozenset(
    " ".join((_CREATED, _MOVED, _INDEXED, _ELEMENT_WISE, _REDUCED, _NORMALIZED, _RESAMPLED, _ASKED)).split()
)


def is_free(operation: Any) -> bool:
    """Return whether a dispatched operation is known to multiply no matrices.

    Only known ones are, so that an operation of a later PyTorch, or of a library of kernels, is not taken for free.

    Args:
        operation: an overload, ``torch.ops.aten.add.Tensor``.

    Example:
        >>> is_free(torch.ops.aten.add.Tensor), is_free(torch.ops.aten.mv.default)
        (True, False)
    """
    if operation.namespace == "prim":  # what a tensor is (device, layout), not what is computed of it
        return True
    if operation.namespace != "aten":
        return False
    name = operation.overloadpacket.__name__.removesuffix("_")
    return operation.is_view or torch.Tag.pointwise in operation.tags or name in FREE
