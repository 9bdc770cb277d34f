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

# Rows of probes/compute.c: WIDE|NARROW symbol FMAs MULs ADDs; wide are ISAs with 32 registers.
rows() {
    awk '/VEC_REGISTERS >= 32/ {where = "wide"} /^# *else/ {where = "narrow"}
        /^ *X\([a-z]/ {
            gsub(/[X(),"]/, " ")
            print where, $1, $6, $8, $10
        }' probes/compute.c
}

# loops OBJECT: of every function with one its last innermost loop: name FMAs MULs ADDs memory stack
loops() {
    objdump -d --no-show-raw-insn "$1" | awk '
        function hexadecimal(text,   i, value) {
            value = 0
            for (i = 1; i <= length(text); i++)
                value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
            return value
        }
        function close_function() {
            if (name != "" && best_end) {
                f = mu = a = memory = stack = 0
                for (i = best_start; i <= best_end; i++) {
                    f += mnemonic[i] ~ /^vfn?m(add|sub)/
                    mu += mnemonic[i] ~ /^v?mul[ps][sd]$/
                    a += mnemonic[i] ~ /^v?add[ps][sd]$/
                    memory += operands[i] ~ /\(%/
                    stack += operands[i] ~ /\(%rsp|\(%rbp/
                }
                print name, f, mu, a, memory, stack
            }
            count = best_end = 0
        }
        /^[0-9a-f]+ </ {close_function(); name = $2; gsub(/[<>:]/, "", name); next}
        /^ +[0-9a-f]+:\t/ {
            sub(/:/, "", $1)
            where[++count] = hexadecimal($1)
            mnemonic[count] = $2
            operands[count] = $3
            if ($2 ~ /^j/ && hexadecimal($3) <= where[count]) {
                target = hexadecimal($3)
                for (i = count; i >= 1 && where[i] >= target; i--) start = i
                if (count - start > best_end - best_start || !best_end) {
                    best_start = start
                    best_end = count
                }
            }
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
    read -r _ f m a memory _ <<<"$seen"
    # Rows may be met several times over in one turn of the loop, but all by the same factor.
    local times=$(((f + m + a) / ($3 + $4 + $5)))
    local wanted="$((times * $3)) $((times * $4)) $((times * $5)) 0"
    if [ "$times" -ge 1 ] && [ "$f $m $a $memory" = "$wanted" ]; then
        pass "$isa $2: $3 FMA, $4 MUL, $5 ADD, nothing in memory"
    else
        fail "$isa $2: wanted $3 FMA, $4 MUL, $5 ADD and no memory operand, found: $seen"
    fi
}

for object in "$build"/{scalar,sse2,avx,avx2,avx512}-f{32,64}/probes/compute.o; do
    loops "$object" >"$scratch/loops"
    where=narrow
    [[ "$object" != */avx512-* ]] || where=wide
    while read -r kind symbol fmas muls adds; do
        [ "$kind" = $where ] || continue
        # 256-bit FMA is the avx2 object's.
        [[ "$symbol" != fma* || "$object" != */avx-* ]] || continue
        holds "$object" "$symbol" "$fmas" "$muls" "$adds"
    done < <(rows)
done

done_testing
