"""The 72 things that go wrong, and the test that holds what is promised for each.

number: (what comes in, what happens, tests, what is open). "refused" names the place, the reason and
a way out, and changes nothing; "told" goes on with a warning or a note; "works" means the check of
the test holds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    given: str
    answer: str
    tests: tuple[str, ...] = ()
    open: str = ""


CAPTURE, TRANSLATE, PACK = "graph/test_capture.py", "graph/test_translate.py", "graph/test_pack.py"
MODEL = "graph/test_model.py"
PIECE, POOL, KEEP = "graph/test_piecewise.py", "graph/test_pool.py", "graph/test_keep.py"
ONNX, MODELS, ABUSE = "graph/test_onnx_file.py", "abuse/test_models.py", "abuse/test_files.py"
CONVERT, NETWORK, LOADER = "test_convert.py", "test_network.py", "data/test_loader.py"
SERIALISE, FILES, SPEC = "test_serialise.py", "test_files.py", "data/test_spec.py"


def held(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in names)


REFUSED_OPERATORS = held(
    CAPTURE, "operators_without_a_neuron_are_refused_with_place_and_reason"
)  # fmt: skip
AWKWARD = held(CAPTURE, "awkward_models_are_captured_and_stay_as_they_were")
UNUSABLE = held(CONVERT, "images_that_cannot_be_used")
FORMS = held(CONVERT, "form_order_and_batches_of_the_images_change_no_bit")
FINDINGS = held(MODELS, "every_finding_has_a_place_a_reason_and_a_way_out")

CASES: dict[int, Case] = {
    # Models
    1: Case("five spellings of ReLU", "works", held(PIECE, "each_spelling_of_relu_is_a_site")),
    2: Case(
        "one ReLU module called at three places", "works",
        held(CAPTURE, "every_call_is_a_site_of_its_own_with_its_line")
        + held(CONVERT, "one_activation_module_called_twice_is_two_sites"),
    ),
    3: Case(
        "one convolution, two batch norms", "works",
        held(CAPTURE, "one_convolution_called_twice_folds_into_two"),
    ),
    4: Case("tied weights", "works", held(CAPTURE, "tied_weights")),
    5: Case(
        "in-place ReLU read by a shortcut", "works",
        held(CAPTURE, "in_place_relu_read_by_a_residual"),
    ),
    6: Case("ReLU6, Hardtanh, clip", "works", held(PIECE, "each_clip_keeps_its_bound")),
    7: Case(
        "GELU, SiLU, ELU, sigmoid, softmax, LayerNorm", "refused, all at once",
        held(CAPTURE, "all_findings_come_at_once_with_place_line_reason_and_fix")
        + held(KEEP, "every_function_is_named_until_it_is_kept"),
    ),
    8: Case(
        "batch norm called in another order than declared", "works",
        held(TRANSLATE, "batch_norm_folds_into_the_layer_that_feeds_it")
        + held("graph/test_fold.py", "nothing_that_can_fold_is_left"),
    ),
    9: Case(
        "batch norm after linear, addition, concat, or before", "works",
        held(TRANSLATE, "batch_norm_that_cannot_fold_stays_an_affine_step"),
    ),
    10: Case(
        "batch norm in train mode", "told",
        held(CONVERT, "batch_norm_in_training_mode_is_told_and_left_so"),
    ),
    11: Case("batch norm without running statistics", "refused", REFUSED_OPERATORS),
    12: Case("running variance 0 or negative", "refused, with its channels", REFUSED_OPERATORS),
    13: Case(
        "groups, dilation, circular padding, transposed", "works",
        held(TRANSLATE, "every_other_operator"),
    ),
    14: Case(
        "max-pooling with ceil mode or dilation", "works or refused, by policy",
        held(POOL, "three_policies_keep_the_function")
        + held(POOL, "what_a_policy_cannot_do_is_refused_with_its_place"),
    ),
    15: Case(
        "adaptive average-pooling to a size that does not divide", "works",
        held(TRANSLATE, "every_other_operator"),
    ),
    16: Case(
        "dropout, identity, stochastic depth", "works",
        held(TRANSLATE, "what_does_nothing_in_eval_is_dropped"),
    ),
    17: Case(
        "products of activations, division, exp", "refused, or kept analogue and told",
        held(KEEP, "every_function_is_named_until_it_is_kept")
        + held("cli/test_keep.py", "reports_tell_what_is_kept"),
    ),
    18: Case(
        "an addition of branches with other thresholds", "works",
        held("engine/test_synchronous.py", "each_structure"),
    ),
    19: Case("concat of branches", "works", held("engine/test_synchronous.py", "each_structure")),
    20: Case(
        "`if` and loops on values", "refused",
        held(CAPTURE, "models_that_cannot_be_captured_are_told_why"),
    ),
    21: Case(
        "dict, tuple or dataclass for an output", "works through Packed, else refused",
        held(PACK, "what_is_packed_comes_back", "one_output_of_several"),
    ),
    22: Case(
        "several inputs", "works through Packed, else refused",
        held(PACK, "the_graph_of_a_packed_model_is_the_model")
        + held(CAPTURE, "two_inputs_are_told"),
    ),
    23: Case(
        "DataParallel, compiled, ScriptModule", "works; the last is refused",
        AWKWARD + held(MODEL, "wrappers_come_off_in_any_order", "a_script_module_is_refused"),
    ),
    24: Case(
        "parameters on meta, lazy modules, FSDP", "refused",
        held(
            MODEL, "models_without_data_are_refused", "shards_of_several_processes_are_refused"
        ),
    ),
    25: Case("pruned, weight-normed, spectral-normed", "works", AWKWARD),
    26: Case(
        "hooks, a replaced forward", "works, hooks are told",
        held(CAPTURE, "notes_tell_of_train_mode_and_hooks")
        + held(MODELS, "a_forward_that_was_replaced_is_what_is_captured"),
    ),
    27: Case(
        "int8 modules, complex weights", "refused",
        held(MODEL, "int8_modules_are_refused") + FINDINGS,
    ),
    28: Case(
        "NaN or infinity in a weight", "refused, with its place",
        held(CONVERT, "weights_that_are_not_finite_are_told_with_their_place"),
    ),
    29: Case(
        "float16, bfloat16, float64", "works",
        held(CONVERT, "a_narrow_model_is_converted_in_float32")
        + held(NETWORK, "half_keeps_its_membrane_in_float32"),
    ),
    30: Case(
        "parts on several devices; images elsewhere than the network",
        "the model is converted on the CPU; refused, naming both",
        held(NETWORK, "images_elsewhere_than_the_network_are_refused_naming_both"),
        "a model on two GPUs was not run",
    ),
    31: Case(
        "channels-last or expanded weights", "works",
        AWKWARD + held(CAPTURE, "a_channels_last_twin_gives_the_same_graph"),
    ),
    32: Case(
        "frozen weights, no_grad, inference_mode", "works",
        held(CAPTURE, "the_caller_s_grad_mode_does_not_matter"),
    ),
    33: Case(
        "no activation, no layer", "told",
        held(CONVERT, "a_model_without_activations_is_told")
        + held(MODELS, "an_empty_network_is_told_and_is_the_identity"),
    ),
    34: Case("a dead branch", "works", held(CAPTURE, "a_dead_branch_is_not_in_the_graph")),
    35: Case("LSTM, GRU, attention", "refused", FINDINGS),
    36: Case(
        "1,000 layers; sums of 1,000 branches", "works",
        held(
            "abuse/test_depth.py", "a_network_larger_than_the_stack",
            "all_branches_of_a_sum_are_fitted_in_order",
        ),
    ),
    37: Case(
        "a network that is converted already", "refused",
        held(CONVERT, "a_spiking_network_is_not_converted_again"),
    ),
    38: Case(
        "a subclass of ReLU that computes something else", "works",
        held(CAPTURE, "a_subclass_of_relu_is_what_it_computes"),
    ),
    39: Case("a quantised activation of another codebase", "refused", FINDINGS),
    # Calibration data
    40: Case(
        "an empty loader, a used generator", "refused",
        UNUSABLE + held(LOADER, "a_generator_that_was_used_up_is_0_batches"),
    ),
    41: Case(
        "NaN or infinity in a batch or born in the network", "refused, with batch or site",
        UNUSABLE + held(CONVERT, "a_number_that_overflows_is_told_with_its_site"),
    ),
    42: Case(
        "other channels, rank, no batch dimension", "refused",
        UNUSABLE + held(LOADER, "a_wrong_shape_is_refused_before_anything_comes_out"),
    ),
    43: Case(
        "tensors, pairs, dicts, arrays, lists", "works",
        FORMS + held(LOADER, "images_and_labels_come_out_the_same_from_every_form"),
    ),
    44: Case(
        "pixels of 0 to 255", "works as uint8; told as floats",
        held(
            CONVERT, "whole_bytes_are_pixels_of_0_to_1",
            "pixels_that_were_not_divided_by_255_are_told_of",
        ),
    ),
    45: Case(
        "a site that never fires", "told",
        held(CONVERT, "a_site_that_is_never_active_is_told_and_gets_threshold_1"),
    ),
    46: Case(
        "a channel that never fires", "works",
        held(CONVERT, "one_channel_that_is_never_active_divides_nothing_by_zero"),
    ),
    47: Case(
        "one outlier of 1e6", "told by a maximum; left out by a percentile",
        held(
            CONVERT, "one_outlier_that_sets_a_threshold_is_told_of",
            "a_percentile_leaves_an_outlier_out",
        ),
    ),
    48: Case("batches of any size", "works, no bit changes", FORMS),
    49: Case(
        "a batch of 0 images", "told",
        held(CONVERT, "a_batch_without_images_is_skipped_and_told"),
    ),
    50: Case(
        "a loader that raises, Ctrl-C", "the same error comes out",
        held(CONVERT, "an_error_of_the_loader_comes_out_as_it_is"),
    ),
    51: Case(
        "a shuffled loader without a seed", "works, no bit changes",
        FORMS + held("fit/test_calibration.py", "other_images_have_another_hash"),
    ),
    52: Case(
        "labels out of range, one-hot, int32", "refused; the others work",
        held(LOADER, "unusable_data_is_refused_with_the_reason")
        + held(SPEC, "labels_beyond_the_models_classes_are_told"),
    ),
    53: Case(
        "read-only, channels-last, requires_grad", "works, images stay",
        FORMS + held(CONVERT, "a_read_only_file_in_memory_is_only_read"),
    ),
    # Simulation and measures
    54: Case(
        "T = 0, negative, float, bool, 10^7", "refused; the last works in flat memory",
        held(NETWORK, "steps_that_are_no_steps", "ten_million_steps_are_steps")
        + held("engine/test_dense.py", "memory_does_not_grow_with_the_number_of_steps")
        + held(
            "test_evaluation.py", "an_interruption_leaves_with_the_rows_of_the_images_so_far"
        ),
    ),
    55: Case(
        "steps unsorted or twice", "works", held(NETWORK, "steps_in_any_order_and_twice")
    ),
    56: Case(
        "two batches in a row, one interrupted", "works",
        held(
            NETWORK, "two_batches_in_a_row_are_independent",
            "an_interrupted_batch_leaves_nothing_behind",
        ),
    ),
    57: Case(
        "thresholds 0, negative, tiny, huge", "refused; the others work",
        held(ABUSE, "an_edited_header_is_refused")
        + held("units/test_binary.py", "thresholds_of_any_size_give_the_same_counts"),
    ),
    58: Case(
        "drive far above the threshold", "told; counts are bounded, the audit names clipping",
        held("common/test_bounds.py", "spikes_are_zero_or_one")
        + held("measure/test_audit.py", "the_worst_kind_is_named_with_its_knob")
        + held("fit/test_saturation.py", "a_threshold_far_too_low_is_told_with_its_place"),
    ),
    59: Case(
        "NaN or infinity in images or born in simulation", "refused, with its place",
        held(
            NETWORK, "images_that_are_not_finite_are_refused_with_their_place",
            "a_number_that_overflows_on_the_way_is_told_with_its_place",
            "a_potential_that_overflows_is_told_though_the_outputs_look_sound",
        ),
    ),
    60: Case(
        "threads, processes, a fork after a run", "works, no bit changes",
        held(
            NETWORK, "two_threads_do_not_meet", "threads_change_no_bit",
            "a_process_that_was_forked_after_a_run_answers_the_same",
        )
        + held("test_processes.py", "rows_are_those_of_one_process"),
    ),
    61: Case(
        "a GPU out of memory", "refused, with the number of images that fit",
        held(
            "engine/test_memory.py", "a_batch_without_room_is_told_with_what_fits",
            "nothing_stays_allocated_on_a_gpu",
        ),
        "the second is skipped without a GPU, and was not run",
    ),
    62: Case(
        "CPU against CUDA", "the same counts; TF32 stays off inside",
        held("engine/test_cuda.py", "a_network_on_the_gpu_is_the_one_on_the_cpu"),
        "skipped without a GPU, and was not run",
    ),
    63: Case(
        "operators without a rule for SynOps", "there is none: every operator is counted",
        held("measure/test_fanout.py", "every_other_operator"),
    ),
    64: Case(
        "sites kept analogue", "told in every report, MACs counted",
        held("measure/test_fanout.py", "what_is_kept_analogue_costs_graded_values")
        + held("cli/test_keep.py", "reports_tell_what_is_kept"),
    ),
    # Files, training, reports
    65: Case(
        "kill -9", "the last whole state loads, training goes on bit for bit",
        held(FILES, "kill_9_while_writing_leaves_a_whole_file")
        + held("train/test_run.py", "kill_9_at_any_moment_loses_at_most_the_running_epoch"),
    ),
    66: Case(
        "disk full, read-only folder, two writers", "the old file stays, or one whole new one",
        held(
            SERIALISE, "a_full_disk_in_the_middle_of_the_bytes", "a_read_only_folder_is_left_alone",
            "a_failed_write_leaves_the_old_file_and_no_other",
        )
        + held(FILES, "two_writers_leave_the_file_of_one"),
    ),
    67: Case(
        "cut, flipped, empty, of the future, keys missing or unknown", "refused",
        held(ABUSE, "a_file_cut_anywhere_is_refused", "an_edited_header_is_refused")
        + held("abuse/test_mutations.py", "bytes", "values_of_the_header"),
    ),
    68: Case(
        "pickles, bombs, names twice, shapes of 2^40", "refused",
        held(
            ABUSE, "files_of_another_kind", "a_name_that_stands_there_twice_is_refused",
            "a_tensor_that_nothing_reads_is_refused", "a_refused_file_takes_no_memory",
        )
        + held("abuse/test_code.py", "no_code_out_of_data"),
    ),
    69: Case(
        "names as attacks", "never a file name; escaped on screen and in pages",
        held(ABUSE, "names_never_become_files_and_are_told_as_escapes")
        + held("report/test_html.py", "a_hostile_name_is_text_and_nothing_else")
        + held("cli/test_refusals.py", "names_from_a_file_cannot_move_the_cursor"),
    ),
    70: Case(
        "hostile data sets, archives", "refused before they are read; none is fetched or unpacked",
        held(
            SPEC, "hostile_npz_files_are_refused_and_run_nothing",
            "a_deflated_bomb_is_refused_before_it_is_unpacked",
        )
        + held("data/test_hub_splits.py", "a_script_in_a_repository_never_runs")
        + held("abuse/test_code.py", "no_code_out_of_data"),
    ),
    71: Case(
        "unknown or wrong settings", "refused, with the nearest known",
        held("test_recipe.py", "the_unknown_is_told_with_the_nearest_known"),
    ),
    72: Case(
        "ONNX files from elsewhere", "refused",
        held(
            ONNX, "weights_elsewhere_are_not", "bytes_that_were_changed_are_refused_or_read",
            "sizes_must_fit", "a_link_out_of_the_folder_is_not_followed",
        ),
        "NIR is not read",
    ),
}  # fmt: skip
