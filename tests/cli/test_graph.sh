#!/usr/bin/env bash
# `roofline graph`: what it prints and writes, what it compares, and refusals by name.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

unset COLUMNS
graph="$roofline graph"

cat >small.txt <<'END'
graph small (onnx 17)
input x: f32[n,8]
const w: f32[8,4] = named
const b: f32[4] = {1.0, 2.0, 3.0, 4.0}
h: f32[n,4] = MatMul(x, w) as product
i: f32[n,4] = Identity(h) as nothing
s: f32[n,4] = Add(i, b) as bias
t: f32[4,n] = Transpose(s) {perm: [1, 0]} as turn
y: f32[4,n] = Relu(t) as activation
output y
END

# cell COLUMN FILE: the values of a column of CSV; a text with a comma is Q
cell() {
    sed '/^#/d; s/"[^"]*"/Q/g' "$2" | awk -F, -v name="$1" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
        { print $column }'
}

# shellcheck disable=SC2086 # words
{
    $graph small.txt --no-times --check >text 2>err
    check "a text graph runs before and after its passes" test $? -eq 0
    check "totals stand side by side" grep -qE '^launches +[0-9]+ +[0-9]+' text
    check "nodes that compute nothing are gone" \
        awk '/^nodes/ { exit !($3 < $2) } END { if (!NR) exit 1 }' text
    check "operators are listed before and after" \
        test "$(grep -c '^operator, ' text)" -eq 2

    check "that outputs agree is said" grep -q '^1 output: after the passes as before' text
    for columns in 80 120; do
        COLUMNS=$columns $graph small.txt --no-times >text$columns 2>err
        check "tables fit $columns columns" \
            awk -v most=$columns 'length($0) > most { bad = 1 } END { exit bad }' text$columns
    done
    check "columns that do not fit 80 are named there" grep -q 'MFLOP/ln' text120
    check "and left out" \
        bash -c "! grep -q 'MFLOP/ln' text80 && grep -q 'FLOP per launch are' text80"
}
# shellcheck disable=SC2086 # words
{
    cat >choice.txt <<'END'
graph choice (onnx 17)
input x: f32[1,8]
const w: f32[8,4] = named
const v: f32[8,4] = named
h: f32[1,4] = MatMul(x, w) as one
i: f32[1,4] = MatMul(x, v) as other
j: f32[1,4] = Identity(i) as nothing
output h
output j
END
    $graph choice.txt --no-times --explain >text 2>err
    check "what was chosen against what is explained once" \
        test "$(grep -c '^  side-by-side: 2 MatMuls .*: .* us instead of .* us' text)" -eq 1
    check "and under which ceilings" grep -q '^what passes chose .* of an ordinary core$' text
    $graph small.txt --no-times --explain --csv >rows 2>err
    check "explanations keep out of CSV" bash -c "grep -q '^what passes' err && ! grep what rows"
}
# shellcheck disable=SC2086 # words
{
    $graph small.txt --no-times --passes none >text 2>err
    check "without passes both are the same" awk '/^nodes/ { exit $3 != $2 }' text

    $graph small.txt --passes none --batch 3 --threads 1 --out results --csv >rows 2>err
    check "it is timed" test $? -eq 0
    check "stdout and graph.csv are the same rows" \
        diff <(grep -v '^#' rows) <(grep -v '^#' results/graph.csv)
    check "columns are those of bench.csv and where in the graph" grep -q \
        '^device,kernel,variant,isa,dtype,shape,.*,graph,node,op,stage,batch,launches,' rows
    check "every node has its operator" \
        test "$(cell op rows | sort | uniq -c | tr -s ' \n' ' ')" = \
        " 2 Add 2 Identity 2 MatMul 2 Relu 2 Transpose "
    check "the batch is in the rows" test "$(cell batch rows | sort -u)" = 3
    check "FLOP are those of the kernel's model: 2 x 3 x 8 x 4" \
        grep -qE '^cpu,gemm,.*,192,[0-9]+,.*,product,MatMul,' rows
    check "what ran has ten samples at least, and a prediction" \
        awk '$1 > 0 && !($2 > 0 && $3 >= 10 && $4 > 0) { bad = 1 } END { exit bad || NR < 10 }' \
        <(paste <(cell launches rows) <(cell seconds_median rows) <(cell samples rows) \
            <(cell seconds_predicted rows))
    printf '%s\n' 'graph loops (onnx 17)' 'input a: i32[65536]' 'y: i32[65536] = Add(a, a)' \
        'output y' >loops.txt
    $graph loops.txt --threads 1 --csv >rows 2>err
    check "plain loops are timed by themselves: they do not come near the roof" \
        awk '!($2 > 1.5 * $1) { bad = 1 } END { exit bad || NR < 2 }' \
        <(paste <(cell seconds_roof rows) <(cell seconds_predicted rows))
    $graph small.txt --no-times --json >json 2>err
    check "json is a list of rows" grep -q '"op":"MatMul"' json

    $graph small.txt --batch 1,4 --no-times >text 2>err
    check "a sweep has a line per batch and stage" \
        test "$(grep -cE '^ +(1|4) +(before|after) ' text)" -eq 4

    $graph small.txt --no-times --dump dumped.txt >/dev/null 2>err
    check "the optimised graph can be written as text" grep -q '^graph small' dumped.txt
    $graph dumped.txt --no-times --check >text 2>err
    check "and is read back" test $? -eq 0
}
# shellcheck disable=SC2086 # words
{
    mkdir plotted
    cp "$root"/tests/golden/results/zen3/{machine,bench}.csv plotted
    $graph resnet-block --threads 1 --out plotted --check >text 2>err
    check "a built-in graph is predicted by machine.csv and checked" test $? -eq 0
    check "how far predictions are off stands in the totals" \
        test "$(grep -cE '^prediction off, (median|sum) %' text)" -eq 2
    check "ceilings are sampled beside it, whatever machine.csv says" \
        awk '$1 == "compute" && !($2 > 0) { bad = 1 } END { exit bad || NR < 10 }' \
        <(paste <(cell bound plotted/graph.csv) <(cell ceiling_sample plotted/graph.csv))
    "$roofline" plot plotted --terminal >plot 2>err
    check "its roofline is plotted" grep -qE '^ +[0-9]+ +whole graph ' plot
    check "with what the passes left nothing of" grep -qE '^ +[0-9]+ +BatchNormalization +gone' plot
    "$roofline" report plotted >report 2>err
    check "a report has its operators" grep -qE '^  BatchNormalization +[0-9]+ +- ' report
    exits "its times pass the checks" 0 "" "$roofline" report plotted --check
    check "which look at them" grep -qE '^[0-9]+ checks, 0 violated' out
    mkdir alone
    cp plotted/graph.csv alone
    exits "a graph alone is reported" 0 "" "$roofline" report alone
    exits "and plotted, without ceilings" 0 "'roofline probe --out alone'" \
        env LC_ALL=C "$roofline" plot alone --terminal
    $graph mlp --no-times --out untimed >/dev/null 2>err
    exits "without times there is nothing to plot" 5 "'untimed'|--no-times" \
        "$roofline" plot untimed --terminal
}
# Bad input is refused before anything is measured, which takes more than these seconds of CPU.
refuses() {
    local what=$1 code=$2 words=$3
    shift 3
    exits "$what" "$code" "$words" bash -c 'ulimit -t 2; exec "$@"' - $graph "$@"
}
# shellcheck disable=SC2086 # words
{
    exits "no model" 2 "needs one model" $graph
    exits "two models" 2 "needs one model" $graph a.txt b.txt
    exits "unknown built-in graph" 2 "'nonsense'|resnet-block" $graph nonsense
    exits "unknown pass" 2 "'nonsense'|'roofline list passes'" $graph small.txt --passes nonsense
    exits "format of tensors" 2 "'f64'" $graph small.txt --dtype f64
    mkdir folder
    refuses "a folder" 5 "'folder'|folder" folder
    echo nonsense >notes
    refuses "another file" 5 "'notes'|.txt" notes
    printf 'graph g (onnx 17)\ninput x: f32[2,len]\ny: f32[2,len] = Relu(x)\noutput y\n' >open.txt
    refuses "an open dim" 2 "input 'x'|--dim len=N" open.txt
    refuses "missing file" 5 "nowhere.txt" nowhere.txt
    exits "weights" 2 "'other'" $graph small.txt --weights other
    exits "gain" 2 "'named:x'" $graph small.txt --weights named:x
    exits "batch" 2 "'0'" $graph small.txt --batch 0
    exits "batch of a word" 2 "'1,x'" $graph small.txt --batch 1,x
    exits "dim without a size" 2 "'n'" $graph small.txt --dim n
    refuses "dim that it does not have" 2 "'m'|n" small.txt --dim m=3
    exits "dump of another kind" 2 "'x.png'" $graph small.txt --dump x.png
    refuses "input that it does not have" 2 "'z'|'x'" small.txt --input z=x.pb
    refuses "data that are not there" 5 "'nothing'" small.txt --data nothing
    echo "graph g (onnx 17" >broken.txt
    refuses "a broken text" 5 "broken.txt:1" broken.txt
    sed 's/n,8/6,8/; s/\[n,4\]/[6,4]/g; s/\[4,n\]/[4,6]/g' small.txt >fixed.txt
    refuses "batch of a fixed model" 2 "fixed.txt" fixed.txt --batch 2
    printf 'graph g (onnx 17)\ninput x: f32[2]\ny: f32[2] = Strange(x)\noutput y\n' >opaque.txt
    exits "an operator that nobody knows" 5 "Strange" $graph opaque.txt --no-times
}
check "help lists built-in graphs" grep -q resnet-block <("$roofline" graph --help)

# ---- other people's models, with their results ----
models=$root/../shared/models
if [ ! -d "$models/node" ]; then
    skip "a model gives the results that come with it" "no models at ../shared/models"
elif ! "$roofline" graph "$models/node/test_relu/model.onnx" --no-times >/dev/null 2>err &&
    grep -q protobuf err; then
    skip "a model gives the results that come with it" "built without ONNX"
else
    relu=$models/node/test_relu
    # shellcheck disable=SC2086 # words
    {
        exits "a model gives the results that come with it" 0 "" $graph "$relu/model.onnx" \
            --data "$relu/test_data_set_0" --check --no-times
        exits "fused nodes are written as ONNX" 0 "" $graph resnet-block --no-times --dump d.onnx
        exits "which is read back" 0 "" $graph d.onnx --no-times --check
        exits "a file that is no model" 5 "'broken.onnx'" $graph broken.onnx --no-times \
            < <(echo nonsense >broken.onnx)
        exits "another result is wrong" 6 "output 'y'" $graph "$relu/model.onnx" --no-times \
            --input "x=$relu/test_data_set_0/input_0.pb" \
            --expect "y=$relu/test_data_set_0/input_0.pb"
    }
fi
done_testing
