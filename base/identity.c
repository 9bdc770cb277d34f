// identity.c - the CPUID instruction on x86; the device tree's hypervisor elsewhere.
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "3", "0x10-0x1f": whether the number lies in it. */
static bool in_range(const char *word, int number)
{
    char *end;
    long first = strtol(word, &end, 0), last = *end == '-' ? strtol(end + 1, NULL, 0) : first;
    return first <= number && number <= last;
}

bool identity_is_listed(const char *line, const char *vendor, int family, int model_number)
{
    char name[16], word[32];
    int used = 0, step = 0;
    if (sscanf(line, "%15s %31s%n", name, word, &used) != 2 || strcmp(name, vendor) != 0 ||
        !in_range(word, family))
        return false;
    for (line += used; sscanf(line, "%*[ ]%31[^ \n]%n", word, &step) == 1; line += step)
        if (in_range(word, model_number))
            return true;
    return false;
}

#if defined(__x86_64__)
#include <cpuid.h>

/* Leaf 1, EAX: Intel SDM volume 2, CPUID, figure 3-6; AMD APM volume 3 (24594), E.3.2. */
static void read_signature(struct identity *cpu, unsigned signature)
{
    unsigned family = signature >> 8 & 0xF, model = signature >> 4 & 0xF;
    unsigned extended = family == 0x6 || family == 0xF ? signature >> 16 & 0xF : 0;
    cpu->family = (int)(family == 0xF ? family + (signature >> 20 & 0xFF) : family);
    cpu->model_number = (int)(model + (extended << 4));
    cpu->stepping = (int)(signature & 0xF);
}

/* Leaves 0x80000002 to 4: 48 characters, often padded on the left. */
static void read_brand(char *model, size_t capacity)
{
    unsigned leaf[13] = {0};
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &leaf[4 * i], &leaf[4 * i + 1], &leaf[4 * i + 2],
                         &leaf[4 * i + 3]))
            return;
    const char *brand = (const char *)leaf;
    snprintf(model, capacity, "%s", brand + strspn(brand, " "));
}

/* Signatures: https://docs.kernel.org/virt/kvm/x86/cpuid.html and the hypervisors' own manuals. */
static void read_hypervisor(char *hypervisor, size_t capacity)
{
    static const char *const names[][2] = {
        {"KVMKVMKVM", "KVM"},     {"VMwareVMware", "VMware"},     {"Microsoft Hv", "Hyper-V"},
        {"XenVMMXenVMM", "Xen"},  {"bhyve bhyve ", "bhyve"},      {"TCGTCGTCGTCG", "QEMU TCG"},
        {"ACRNACRNACRN", "ACRN"}, {"VBoxVBoxVBox", "VirtualBox"},
    };
    unsigned eax, signature[4] = {0};
    __cpuid(0x40000000, eax, signature[0], signature[1], signature[2]);
    const char *text = (const char *)signature;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], text) == 0)
            text = names[i][1];
    snprintf(hypervisor, capacity, "%s", *text ? text : "unnamed");
}

struct identity identity_read(void)
{
    struct identity cpu = {.family = -1, .model_number = -1, .stepping = -1};
    unsigned eax, ebx, ecx, edx, vendor[4] = {0};
    __cpuid(0, eax, vendor[0], vendor[2], vendor[1]);
    snprintf(cpu.vendor, sizeof cpu.vendor, "%s", (const char *)vendor);
    __cpuid(1, eax, ebx, ecx, edx);
    read_signature(&cpu, eax);
    read_brand(cpu.model, sizeof cpu.model);
    if (ecx & 1u << 31) /* reserved for hypervisors */
        read_hypervisor(cpu.hypervisor, sizeof cpu.hypervisor);
    return cpu;
}
#else
#include "procfs.h"

struct identity identity_read(void)
{
    struct identity cpu = {.family = -1, .model_number = -1, .stepping = -1};
    if (!procfs_line("/sys/hypervisor/type", cpu.hypervisor, sizeof cpu.hypervisor))
        procfs_line("/proc/device-tree/hypervisor/compatible", cpu.hypervisor,
                    sizeof cpu.hypervisor);
    return cpu;
}
#endif
