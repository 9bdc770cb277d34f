#include "shift.h"

#include <math.h>

#include "stats.h"

enum { MEANS_MAX = SHIFT_VALUES_MAX * (SHIFT_VALUES_MAX + 1) / 2 };

/* The rank, from 1, of the mean that an interval begins at: the largest one that leaves no more
 * than half of 1 - confidence below, as many as the sums of signed ranks that are smaller. 0: there
 * is none. */
static size_t first_rank(size_t count, double confidence, double *achieved)
{
    double chance[MEANS_MAX + 1] = {1}; /* of each sum of positive ranks */
    size_t most = 0;
    for (size_t rank = 1; rank <= count; rank++) {
        most += rank;
        for (size_t sum = most + 1; sum-- > 0;)
            chance[sum] = (chance[sum] + (sum >= rank ? chance[sum - rank] : 0)) / 2;
    }
    const double allowed =
        (1 - confidence) / 2 * (1 + 1e-12); /* 0.05 is not a sum of powers of 2 */
    double below = 0;
    size_t first = 0;
    while (first < most / 2 && below + chance[first] <= allowed)
        below += chance[first++];
    *achieved = first > 0 ? 1 - 2 * below : 1;
    return first;
}

struct shift shift_of(const double *values, size_t count, double confidence)
{
    double mean[MEANS_MAX];
    size_t means = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i; j < count; j++)
            mean[means++] = (values[i] + values[j]) / 2;
    struct shift shift = {.estimate = quartiles_of(mean, means).median};
    const size_t first = first_rank(count, confidence, &shift.confidence);
    shift.low = first > 0 ? mean[first - 1] : -INFINITY;
    shift.high = first > 0 ? mean[means - first] : INFINITY;
    return shift;
}

enum change shift_change(const struct shift *shift, double margin)
{
    const double most = log1p(margin);
    if (shift->low > 0 && shift->estimate >= most)
        return CHANGE_SLOWER;
    if (shift->high < 0 && shift->estimate <= -most)
        return CHANGE_FASTER;
    return shift->low >= -most && shift->high <= most ? CHANGE_SAME : CHANGE_UNSURE;
}
