// onednn_abi.h - the calls of oneDNN that differ between ABI 2 (libdnnl.so.2) and ABI 3: whoever
// describes something need not know which it is.
#ifndef ROOFLINE_ONEDNN_ABI_H
#define ROOFLINE_ONEDNN_ABI_H

#include "onednn_plan.h"

/* How a tensor lies. In ABI 3 the library's own; in ABI 2 a structure of 696 bytes that the library
 * fills in, so what has been created must not move. Zeroed, it may be released. */
struct onednn_layout {
    void *md; /* NULL: not created */
    _Alignas(16) char storage[1024];
};

struct onednn_abi {
    int version; /* 2 or 3 */
    enum onednn_kind kind;
    void (*describe)(void); /* of the kind */
    int (*append_binary)(void *post_ops, int algorithm, const void *md);
    void (*append_sum)(void), (*append_eltwise)(void);
    /* ABI 2 */
    int (*init_by_strides)(void *md, int count, const onednn_sizes sizes, int type,
                           const onednn_sizes strides);
    int (*init_by_tag)(void *md, int count, const onednn_sizes sizes, int type, int tag);
    int (*primitive_desc)(void **descriptor, const void *operation, const void *attributes,
                          void *engine, const void *hint);
    /* ABI 3 */
    int (*create_with_strides)(void **md, int count, const onednn_sizes sizes, int type,
                               const onednn_sizes strides);
    int (*create_with_tag)(void **md, int count, const onednn_sizes sizes, int type, int tag);
    int (*destroy)(void *md);
};

/* The functions that describe operations of a kind. SKIPPED where the library lacks one. */
int onednn_abi_find(struct onednn_abi *abi, const struct opened_library *opened, int version,
                    enum onednn_kind kind, struct error *error);

/* As the tensor lies; with `any` as the library likes. Like what follows it returns a status of the
 * library, 0 for success. */
int onednn_layout_create(const struct onednn_abi *abi, const struct onednn_tensor *tensor, bool any,
                         struct onednn_layout *layout);
void onednn_layout_release(const struct onednn_abi *abi, struct onednn_layout *layout);

/* Its value in the ABI. */
int onednn_argument(const struct onednn_abi *abi, int argument);

/* The work's post-ops behind those that are there. */
int onednn_append_post_ops(const struct onednn_abi *abi, const struct onednn_work *work,
                           const struct onednn_layout *const *layouts, void *post_ops);

/* The descriptor of a primitive, the caller's to destroy; layouts are those of the work's tensors.
 */
int onednn_describe(const struct onednn_abi *abi, const struct onednn_work *work,
                    const struct onednn_layout *const *layouts, void *engine,
                    const void *attributes, void **descriptor);

#endif
