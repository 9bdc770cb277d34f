// test_ops_sequences.c - Attention, recurrent networks, Einsum and Det.
#include "ops_check.h"

static const char new[] = "onnx 24";

/* ---- Einsum, Det ---- */

#define SQUARES                                                                                    \
    "const a: f32[2,2] = {1, 2, 3, 4}\nconst b: f32[2,2] = {1, 0, 1, 10}\n"                        \
    "const v: f32[2] = {1, 10}\nconst c: f32[2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"

static void equations_name_what_is_summed(void **state)
{
    (void)state;
    const struct {
        const char *node, *values, *kernels;
    } cases[] = {
        {"Einsum(a, b) {equation: \"ij,jk->ik\"}", "{3.0, 20.0, 7.0, 40.0}", "gemm"},
        {"Einsum(a, b) {equation: \"ij,jk\"}", "{3.0, 20.0, 7.0, 40.0}", "gemm"},
        {"Einsum(a, b) {equation: \" ij , jk -> ki \"}", "{3.0, 7.0, 20.0, 40.0}", "gemm"},
        {"Einsum(a, b) {equation: \"ji,jk->ik\"}", "{4.0, 30.0, 6.0, 40.0}", "gemm"},
        {"Einsum(c, b) {equation: \"...ij,jk->...ik\"}",
         "y: f32[2,2,2] = {3.0, 20.0, 7.0, 40.0, 11.0, 60.0, 15.0, 80.0}", "gemm"},
        {"Einsum(v, v) {equation: \"i,i->i\"}", "{1.0, 100.0}", "mul"},
        {"Einsum(v, v) {equation: \"i,j\"}", "{1.0, 10.0, 10.0, 100.0}", "gemm"},
        {"Einsum(a) {equation: \"ii\"}", "y: f32[] = {5.0}", ""},
        {"Einsum(a) {equation: \"ii->i\"}", "{1.0, 4.0}", ""},
        {"Einsum(a) {equation: \"ba\"}", "{1.0, 3.0, 2.0, 4.0}", ""},
        {"Einsum(a, b, v) {equation: \"ij,jk,k->i\"}", "{203.0, 407.0}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_node(new, SQUARES, cases[i].node, cases[i].values, cases[i].kernels);
}

static void bad_equations_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *node, *words;
    } cases[] = {
        {"Einsum(a, b) {equation: \"ij,jk->iz\"}", "a letter that no input has"},
        {"Einsum(a, b) {equation: \"ij,jk->ii\"}", "a letter twice"},
        {"Einsum(a, b) {equation: \"ij\"}", "another number of terms"},
        {"Einsum(a, b) {equation: \"ij,jk,kl\"}", "another number of terms"},
        {"Einsum(a, v) {equation: \"ij,jk\"}", "2 letters for input 1"},
        {"Einsum(a, b) {equation: \"i1,jk\"}", "made of letters"},
        {"Einsum(a, b) {equation: \"ij,jk-ik\"}", "'->'"},
        {"Einsum(a, b) {equation: \"ij,jk->i,k\"}", "only one result"},
        {"Einsum(a, b) {equation: \"......,ij\"}", "two ellipses"},
        {"Einsum(a, b) {equation: \"abcdefghijklmnopqrs,jk\"}", "more letters"},
        {"Einsum(a, wide) {equation: \"ij,jk\"}", "2 and 3 elements"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(new, SQUARES "input wide: f32[3,2]", cases[i].node, cases[i].words);
    check_type(new, "input a: f32[n,k]\ninput b: f32[k,?]", "Einsum(a, b) {equation: \"ij,jk\"}",
               "f32[n,?]");
}

static void determinants_by_elimination(void **state)
{
    (void)state;
    check_node(new, "const x: f64[2,2,2] = {1, 2, 3, 4, 0, 1, 1, 0}", "Det(x)",
               "y: f64[2] = {-2.0, -1.0}", "");
    check_refused(new, "input x: f32[2,3]", "Det(x)", "not square");
}

/* ---- Attention ---- */

#define HEADS                                                                                      \
    "const q: f64[1,1,2,1] = {0, 0}\nconst k: f64[1,1,2,1] = {1, 2}\n"                             \
    "const v: f64[1,1,2,1] = {2, 4}\nconst M: bool[2,2] = {1, 0, 0, 1}\n"                          \
    "const N: bool[2,2] = {0, 0, 1, 1}\nconst S: f64[1,1,1,1] = {0}\n"                             \
    "const p: f64[1,1,1,1] = {8}\nconst L: i64[1] = {1}\n"

static void queries_see_what_mask_and_order_allow(void **state)
{
    (void)state;
    const struct {
        const char *node, *values, *kernels;
    } cases[] = {
        {"Attention(q, k, v)", "{3.0, 3.0}", "mul gemm softmax gemm"},
        {"Attention(q, k, v) {scale: 1.0}", "{3.0, 3.0}", "gemm softmax gemm"},
        {"Attention(q, k, v) {is_causal: 1, scale: 1.0}", "{2.0, 3.0}", "gemm softmax gemm"},
        {"Attention(q, k, v, M) {scale: 1.0}", "{2.0, 4.0}", "gemm softmax gemm"},
        {"Attention(q, k, v, N) {scale: 1.0}", "{0.0, 3.0}", ""},
        {"Attention(q, k, v, S) {scale: 1.0}", "{2.0, 2.0}", "gemm softmax gemm"},
        {"Attention(q, k, v, -, p, p) {is_causal: 1}", "{5.0, 4.6666", ""},
        {"Attention(q, k, v, -, -, -, L)", "{2.0, 2.0}", ""},
        {"Attention(q, k, v, -, -, -, L) {is_causal: 1}", "{0.0, 2.0}", ""},
        {"Attention(q, k, v) {right_window_size: 0, scale: 1.0}", "{2.0, 3.0}",
         "gemm softmax gemm"},
        {"Attention(q, k, v) {softcap: 2.0}", "{3.0, 3.0}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* A scale of 1 is the default for heads of 1 element. */
        const bool is_default = strcmp(cases[i].node, "Attention(q, k, v)") == 0;
        check_node(new, HEADS, cases[i].node, cases[i].values,
                   is_default ? "gemm softmax gemm" : cases[i].kernels);
    }
}

static void heads_of_queries_share_those_of_keys(void **state)
{
    (void)state;
    const char *const lines = "const q: f32[1,1,4] = {0, 0, 0, 0}\nconst k: f32[1,1,2] = {1, 2}\n"
                              "const v: f32[1,1,2] = {5, 7}";
    check_node(new, lines, "Attention(q, k, v) {q_num_heads: 4, kv_num_heads: 2}",
               "y: f32[1,1,4] = {5.0, 5.0, 7.0, 7.0}",
               "transpose transpose transpose gemm softmax gemm transpose");
    check_refused(new, lines, "Attention(q, k, v)", "'q_num_heads'");
    check_refused(new, lines, "Attention(q, k, v) {q_num_heads: 3, kv_num_heads: 2}",
                  "rows of 4 elements for 3 heads");
    check_refused(new, "input q: f32[1,3,2,4]\ninput k: f32[1,2,2,4]", "Attention(q, k, k)",
                  "3 heads of queries cannot be shared out to 2");
    check_refused(new, HEADS, "Attention(q, k, v, -, p)", "together or not at all");
    check_refused(new, HEADS "input d: f32[1,1,2,1]", "Attention(q, d, v)", "'f64' and 'f32'");
    check_refused(new, HEADS "input m: f32[3,2]", "Attention(q, k, v, m)", "does not broadcast");
    check_type(new, "input q: f32[n,8,s,64]\ninput k: f32[n,2,t,64]\ninput v: f32[n,2,t,32]",
               "Attention(q, k, v)", "f32[n,8,s,32]");
}

/* ---- recurrent networks ---- */

/* One feature, one cell: h = x + h with an activation that changes nothing. */
#define STEPS                                                                                      \
    "const x: f32[3,1,1] = {1, 2, 4}\nconst w: f32[1,1,1] = {1}\nconst r: f32[1,1,1] = {1}\n"      \
    "const w2: f32[2,1,1] = {1, 1}\nconst r2: f32[2,1,1] = {1, 1}\nconst n: i32[1] = {2}\n"        \
    "const h: f32[1,1,1] = {10}\nconst xb: f32[1,3,1] = {1, 2, 4}\n"

/* The product for the inputs, then for each step one for the state and its chain. */
#define THREE_STEPS "gemm gemm chain gemm chain gemm chain"
#define OF_LSTM "gemm chain chain chain chain"

static void sequences_run_in_their_direction(void **state)
{
    (void)state;
    const struct {
        const char *node, *values, *launched;
    } cases[] = {
        {"RNN(x, w, r) {activations: [\"Affine\"]}", "y: f32[3,1,1,1] = {1.0, 3.0, 7.0}", ""},
        {"RNN(x, w, r) {activations: [\"Relu\"], direction: \"reverse\"}", "{7.0, 6.0, 4.0}",
         THREE_STEPS},
        {"RNN(x, w2, r2) {activations: [\"Relu\", \"Relu\"], direction: \"bidirectional\"}",
         "y: f32[3,2,1,1] = {1.0, 7.0, 3.0, 6.0, 7.0, 4.0}", THREE_STEPS " " THREE_STEPS},
        {"RNN(x, w, r, -, n) {activations: [\"Relu\"]}", "{1.0, 3.0, 0.0}", ""},
        {"RNN(x, w, r, -, n, h) {activations: [\"Relu\"], direction: \"reverse\"}",
         "{13.0, 12.0, 0.0}", ""},
        {"RNN(xb, w, r) {activations: [\"Relu\"], layout: 1}", "y: f32[1,3,1,1] = {1.0, 3.0, 7.0}",
         THREE_STEPS},
        {"RNN(x, w, r) {activations: [\"Affine\"], activation_alpha: [2.0], "
         "activation_beta: [1.0], clip: 3.5}",
         "{3.0, 8.0, 8.0}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_node("onnx 14", STEPS, cases[i].node, cases[i].values, cases[i].launched);
}

static void gates_open_and_close(void **state)
{
    (void)state;
    /* Gates far above or below 0 are 1 or 0: input open, output open, forget shut. */
    const char *const lstm =
        "const x: f64[2,1,1] = {100, 100}\nconst w: f64[1,4,1] = {1, 1, -1, 1}\n"
        "const r: f64[1,4,1] = {0, 0, 0, 0}\nconst p: f64[1,3] = {0, 0, 100}\n"
        "const c: f64[1,1,1] = {2}\nconst h: f64[1,1,1] = {0}";
    check_node("onnx 14", lstm, "LSTM(x, w, r)", "{0.76159415595576", "gemm " OF_LSTM " " OF_LSTM);
    check_node("onnx 14", lstm, "LSTM(x, w, r, -, -, h, c, p)", "{0.99505475368673", "");
    const char *const gru = "const x: f64[1,1,1] = {100}\nconst w: f64[1,3,1] = {-1, -1, 0}\n"
                            "const r: f64[1,3,1] = {0, 0, 1}\nconst h: f64[1,1,1] = {5}\n"
                            "const b: f64[1,6] = {0, 0, 0, 0, 0, 1}";
    check_node("onnx 14", gru, "GRU(x, w, r, b, -, h)", "{0.76159415595576",
               "gemm gemm chain chain gemm chain chain");
    check_node("onnx 14", gru, "GRU(x, w, r, b, -, h) {linear_before_reset: 1}", "e-43}",
               "gemm gemm chain chain chain");
}

static void sizes_of_cells_have_to_agree(void **state)
{
    (void)state;
    const char *const lines = "input x: f32[s,b,8]\ninput w: f32[2,64,8]\ninput r: f32[2,64,16]\n"
                              "input bad: f32[2,64,9]";
    check_type("onnx 14", lines, "LSTM(x, w, r) {direction: \"bidirectional\"}", "f32[s,2,b,16]");
    check_refused("onnx 14", lines, "LSTM(x, w, r)", "input W");
    check_refused("onnx 14", lines, "LSTM(x, bad, r) {direction: \"bidirectional\"}", "input W");
    check_refused("onnx 14", lines, "LSTM(x, w, r) {direction: \"up\"}", "'up'");
    check_refused("onnx 14", lines,
                  "LSTM(x, w, r) {direction: \"bidirectional\", hidden_size: 9223372036854775807}",
                  "hidden_size");
    check_refused("onnx 14", lines,
                  "LSTM(x, w, r) {direction: \"bidirectional\", activations: [\"What\"]}",
                  "'What'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equations_name_what_is_summed),
        cmocka_unit_test(bad_equations_are_refused),
        cmocka_unit_test(determinants_by_elimination),
        cmocka_unit_test(queries_see_what_mask_and_order_allow),
        cmocka_unit_test(heads_of_queries_share_those_of_keys),
        cmocka_unit_test(sequences_run_in_their_direction),
        cmocka_unit_test(gates_open_and_close),
        cmocka_unit_test(sizes_of_cells_have_to_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
