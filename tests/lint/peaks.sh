#!/usr/bin/env bash
# The loops that measure peaks do what their rows say: so many FMAs, multiplies and adds between
# label and branch, all chains in registers.
#
#   BUILD  folder of the objects (default build/gcc)
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5
build=${BUILD:-build/gcc}

if [ "$(uname -m)" != x86_64 ] || [[ "$build" == *sanitize* ]]; then
    echo "1..0 # SKIP the plain build for x86-64 is looked at"
    exit
fi

# Rows of probes/compute.c: wide|narrow|vector symbol FMAs MULs ADDs; wide are ISAs with 32
# registers, vector are narrow ones but scalar.
rows() {
    awk '/VEC_REGISTERS >= 32/ {where = "wide"} /VEC_BYTES > 0/ {where = "vector"}
        /^# *else/ {where = "narrow"}
        /X\([a-z_0-9]+, "/ {
            sub(/^#define [A-Z_0-9]*\(X\)/, "")
            gsub(/[X(),"]/, " ")
            print where, $1, $7, $9, $11
        }' probes/compute.c
}

# loops OBJECT: of every function that calculates in a loop the innermost one:
# name FMAs MULs ADDs operands-in-memory vectors-on-the-stack moves-between-registers
loops() {
    objdump -d --no-show-raw-insn "$1" | awk '
        function hexadecimal(text,   i, value) {
            for (i = 1; i <= length(text); i++)
                value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
            return value
        }
        # Counts from the jump back to its target, where no loop is inside; keeps the one with most
        # FMAs (else with most arithmetic), of several the shortest.
        function close_loop(target,   i, f, mu, a, memory, stack, moves, score) {
            if (innermost >= target) return
            innermost = target
            for (i = count; i >= 1 && where[i] >= target; i--) {
                f += mnemonic[i] ~ /^vfn?m(add|sub)/
                mu += mnemonic[i] ~ /^v?mul[ps][sd]$/
                a += mnemonic[i] ~ /^v?add[ps][sd]$/
                memory += operands[i] ~ /\(%/
                stack += mnemonic[i] ~ /^v/ && operands[i] ~ /\(%rsp/
                moves += mnemonic[i] ~ /^v?mov/
            }
            score = f ? 1000 * f : mu + a
            if (score > best || (score && score == best && count - i < shortest)) {
                best = score
                shortest = count - i
                found = name " " f + 0 " " mu + 0 " " a + 0 " " memory + 0 " " stack + 0
                found = found " " moves + 0
            }
        }
        function close_function() {
            if (best) print found
            count = best = innermost = 0
        }
        /^[0-9a-f]+ </ {close_function(); name = $2; gsub(/[<>:]/, "", name); next}
        /^ +[0-9a-f]+:\t/ {
            sub(/:/, "", $1)
            where[++count] = hexadecimal($1)
            mnemonic[count] = $2
            operands[count] = $3
            if ($2 ~ /^j/ && hexadecimal($3) <= where[count]) close_loop(hexadecimal($3))
        }
        END {close_function()}'
}

# holds OBJECT SYMBOL FMAs MULs ADDs: the loop has these, once or several times where it is unrolled
holds() {
    local isa
    isa=$(cut -d/ -f3 <<<"$1")
    local seen
    seen=$(grep -E "^$2(\.[a-z.0-9]+)? " "$scratch/loops" | head -n 1)
    if [ -z "$seen" ]; then
        fail "$isa $2: no loop of that name"
        return
    fi
    read -r _ f m a memory _ moves <<<"$seen"
    # Rows may be met several times over in one turn of the loop, but all by the same factor.
    local times=$(((f + m + a) / ($3 + $4 + $5)))
    local wanted="$((times * $3)) $((times * $4)) $((times * $5)) 0 0"
    if [ "$times" -ge 1 ] && [ "$f $m $a $memory $moves" = "$wanted" ]; then
        pass "$isa $2: $3 FMA, $4 MUL, $5 ADD, nothing in memory, no moves"
    else
        fail "$isa $2: wanted $3 FMA, $4 MUL, $5 ADD, no memory operand, no move, found: $seen"
    fi
}

for object in "$build"/{scalar,sse2,avx,avx2,avx512}-f{32,64}/probes/compute.o; do
    loops "$object" >"$scratch/loops"
    where="narrow vector"
    [[ "$object" != */avx512-* ]] || where=wide
    [[ "$object" != */scalar-* ]] || where=narrow
    while read -r kind symbol fmas muls adds; do
        [[ " $where " == *" $kind "* ]] || continue
        # 256-bit FMA is the avx2 object's.
        [[ "$symbol" != fma* || "$object" != */avx-* ]] || continue
        holds "$object" "$symbol" "$fmas" "$muls" "$adds"
    done < <(rows)
done

# The register tile of kernels/product.h: rows x vectors accumulators stay in registers while a
# column of A and a row of B are read once per step, from panels or in place; up to three lines of B
# in place are asked for. Tiles of packed panels may ask for the next one in place: something of
# that may be in memory. Where A is in place as well two steps may read the address of each row once
# more: general registers are few. Of direct convolution up to three lines of what comes next are
# asked for, how far apart, and where the output is, may be in memory, and GCC puts one sum there
# and back in each turn of some loops.
tile_holds() {
    local isa=$1 kernel=$2 function=$3 rows=$4 vectors=$5 f products memory stack times
    local asked=3 lost=0
    [ "$function" != multiply_packed ] || asked=1
    if [ "$kernel" == convolution_direct ]; then asked=5 lost=2; fi
    read -r _ f products _ memory stack _ < <(grep -E "^${function}_$vectors(\.[a-z.0-9]+)? " \
        "$scratch/loops")
    [[ "$isa" == avx2-* || "$isa" == avx512-* ]] || f=$products
    times=$((${f:-0} / (rows * vectors)))
    local most=$((times * (rows + vectors + asked)))
    [ "$function" != multiply_in_place ] || [ "$times" -lt 2 ] || most=$((most + rows))
    if [ "$times" -ge 1 ] && [ "$f" -eq $((times * rows * vectors)) ] && [ "$stack" -le $lost ] &&
        [ "$memory" -le "$most" ]; then
        pass "$isa $kernel: a tile of $rows x $vectors vectors stays in registers ($function)"
    else
        fail "$isa $kernel $function: tile of $rows x $vectors: ${f:-no} products, ${memory:-?} in \
memory, ${stack:-?} on the stack"
    fi
}

for kernel in gemm convolution_packed; do
    for isa in {avx,avx2,avx512}-f{32,64}; do
        loops "$build/$isa/kernels/$kernel.o" >"$scratch/loops"
        for function in multiply_packed multiply_b_in_place multiply_in_place; do
            [[ "$kernel" == gemm || "$function" != multiply_in_place ]] || continue
            case $isa in
            avx512-*) tile_holds "$isa" $kernel $function 8 3 ;;
            *) tile_holds "$isa" $kernel $function 6 2 ;;
            esac
        done
    done
done

for isa in {avx,avx2,avx512}-f{32,64}; do
    loops "$build/$isa/kernels/convolution_direct.o" >"$scratch/loops"
    for taps in one several; do
        case $isa in
        avx512-*) tile_holds "$isa" convolution_direct tile_${taps}_3_2 6 4 ;;
        *) tile_holds "$isa" convolution_direct tile_${taps}_2_2 4 3 ;;
        esac
    done
done

done_testing
