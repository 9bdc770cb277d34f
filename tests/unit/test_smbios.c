// test_smbios.c - memory modules are decoded as the firmware lists them, and nothing is made up.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smbios.h"

/* A structure table under construction. */
struct image {
    unsigned char bytes[8192];
    size_t count;
};

struct module {
    const char *device, *bank;   /* locators */
    unsigned width, speed, size; /* bit, MT/s as configured, MiB */
    unsigned array, type, technology;
};

static void put_word(unsigned char *bytes, size_t offset, unsigned value)
{
    bytes[offset] = (unsigned char)value;
    bytes[offset + 1] = (unsigned char)(value >> 8);
}

static void add_text(struct image *image, const char *text)
{
    memcpy(image->bytes + image->count, text, strlen(text) + 1);
    image->count += strlen(text) + 1;
}

/* A type 17 structure of SMBIOS 3.3, 0x5C bytes long. */
static void add_module(struct image *image, struct module module)
{
    enum { LENGTH = 0x5C };
    unsigned char *bytes = image->bytes + image->count;
    memset(bytes, 0, LENGTH);
    bytes[0x00] = 17;
    bytes[0x01] = LENGTH;
    put_word(bytes, 0x04, module.array);
    put_word(bytes, 0x08, module.width + 8);
    put_word(bytes, 0x0A, module.width);
    put_word(bytes, 0x0C, module.size);
    bytes[0x10] = 1;
    bytes[0x11] = 2;
    bytes[0x12] = (unsigned char)(module.type ? module.type : 0x1A); /* DDR4 */
    put_word(bytes, 0x15, 3200);                                     /* what it could do */
    put_word(bytes, 0x20, module.speed > 0xFFFE ? 0xFFFF : module.speed);
    bytes[0x28] = (unsigned char)(module.technology ? module.technology : 3); /* DRAM */
    put_word(bytes, 0x58, module.speed & 0xFFFF);
    put_word(bytes, 0x5A, module.speed >> 16);
    image->count += LENGTH;
    add_text(image, module.device);
    add_text(image, module.bank);
    image->bytes[image->count++] = 0;
}

/* Another structure, without strings. */
static void add_other(struct image *image, unsigned char type)
{
    const unsigned char bytes[] = {type, 4, 0, 0, 0, 0};
    memcpy(image->bytes + image->count, bytes, sizeof bytes);
    image->count += sizeof bytes;
}

/* Parses a copy of exactly that size, so that a sanitizer sees every byte read too many. */
static struct memory_bus parse(const struct image *image, size_t count)
{
    struct memory_bus bus;
    unsigned char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, image->bytes, count);
    smbios_parse(copy, count, &bus);
    free(copy);
    return bus;
}

static void channels_speed_and_width_are_read(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    static const char *const banks[] = {"P0 CHANNEL A", "P0 CHANNEL B", "P1 CHANNEL A",
                                        "P1 CHANNEL B"};
    add_other(&image, 16);
    for (int i = 0; i < 4; i++)
        for (int slot = 0; slot < 2; slot++)
            add_module(&image, (struct module){slot ? "DIMM 1" : "DIMM 0", banks[i], 64, 2933,
                                               slot ? 0 : 0x7FFF, 0x20, 0, 0});
    add_other(&image, 127);
    struct memory_bus bus = parse(&image, image.count);
    assert_true(bus.channels == 4);
    assert_true(bus.transfers_per_second == 2933e6);
    assert_true(bus.bus_bytes == 8);
    assert_non_null(strstr(bus.source, "SMBIOS"));
}

static void two_modules_of_a_channel_are_one_channel(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"A1", "P0_Node0_Channel0_Dimm0", 64, 2400, 1024, 1, 0, 0});
    add_module(&image, (struct module){"A2", "P0_Node0_Channel0_Dimm1", 64, 2400, 1024, 1, 0, 0});
    add_module(&image, (struct module){"B1", "P0_Node0_Channel1_Dimm0", 64, 2400, 1024, 1, 0, 0});
    assert_true(parse(&image, image.count).channels == 2);
}

static void device_locator_serves_where_the_bank_is_silent(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"ChannelA-DIMM0", "BANK 0", 64, 3200, 1024, 1, 0, 0});
    add_module(&image, (struct module){"ChannelB-DIMM0", "BANK 2", 64, 3200, 1024, 1, 0, 0});
    assert_true(parse(&image, image.count).channels == 2);
}

static void equal_names_in_two_arrays_are_two_channels(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"DIMM 0", "CHANNEL A", 64, 3200, 1024, 0x10, 0, 0});
    add_module(&image, (struct module){"DIMM 0", "CHANNEL A", 64, 3200, 1024, 0x11, 0, 0});
    assert_true(parse(&image, image.count).channels == 2);
}

static void channels_that_are_not_named_are_unknown(void **state)
{
    (void)state;
    static const char *const names[] = {"PROC 1 DIMM 2", "DIMM_A1",          "",
                                        "Channel",       "DIMM 0 Channel A", "ChannelADIMM0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct image image = {.count = 0};
        add_module(&image, (struct module){names[i], "BANK 0", 64, 3200, 1024, 1, 0, 0});
        struct memory_bus bus = parse(&image, image.count);
        assert_true(isnan(bus.channels));
        assert_true(bus.transfers_per_second == 3200e6);
        assert_non_null(strstr(bus.source, "--channels"));
    }
}

static void modules_that_differ_have_no_common_speed(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 3200, 1024, 1, 0, 0});
    add_module(&image, (struct module){"D1", "P0 CHANNEL B", 64, 2666, 1024, 1, 0, 0});
    struct memory_bus bus = parse(&image, image.count);
    assert_true(bus.channels == 2);
    assert_true(isnan(bus.transfers_per_second));
    assert_non_null(strstr(bus.source, "speed"));
}

static void unknown_speed_and_width_stay_unknown(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 0xFFFF, 0, 1024, 1, 0, 0});
    struct memory_bus bus = parse(&image, image.count);
    assert_true(isnan(bus.transfers_per_second));
    assert_true(isnan(bus.bus_bytes));
}

static void speed_beyond_16_bit_is_read_from_its_extension(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 70000, 1024, 1, 0, 0});
    assert_true(parse(&image, image.count).transfers_per_second == 70000e6);
}

static void flash_and_persistent_memory_are_no_dram(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 2666, 1024, 1, 0, 0});
    add_module(&image, (struct module){"ROM", "BIOS CHANNEL 7", 8, 33, 16, 2, 0x09, 0});
    add_module(&image, (struct module){"D1", "P0 CHANNEL B", 64, 2133, 1024, 1, 0, 0x07});
    struct memory_bus bus = parse(&image, image.count);
    assert_true(bus.channels == 1);
    assert_true(bus.transfers_per_second == 2666e6);
}

static void structures_after_the_end_do_not_count(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 2666, 1024, 1, 0, 0});
    add_other(&image, 127);
    add_module(&image, (struct module){"D1", "P0 CHANNEL B", 64, 2666, 1024, 1, 0, 0});
    assert_true(parse(&image, image.count).channels == 1);
}

static void table_cut_anywhere_is_read_up_to_there(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 2666, 1024, 1, 0, 0});
    size_t first = image.count;
    add_module(&image, (struct module){"D1", "P0 CHANNEL B", 64, 2666, 1024, 1, 0, 0});
    for (size_t count = 0; count <= image.count; count++) {
        double channels = parse(&image, count).channels;
        if (count < first)
            assert_true(isnan(channels));
        else
            assert_true(channels == (count < image.count ? 1 : 2));
    }
}

static void string_numbers_beyond_the_strings_are_empty(void **state)
{
    (void)state;
    struct image image = {.count = 0};
    add_module(&image, (struct module){"D0", "P0 CHANNEL A", 64, 2666, 1024, 1, 0, 0});
    image.bytes[0x10] = 200;
    image.bytes[0x11] = 3;
    assert_true(isnan(parse(&image, image.count).channels));
}

static void unreadable_table_says_what_to_do(void **state)
{
    (void)state;
    struct memory_bus bus;
    smbios_read("/nonexistent/DMI", &bus);
    assert_true(isnan(bus.channels));
    assert_true(isnan(bus.transfers_per_second));
    assert_true(isnan(bus.bus_bytes));
    assert_non_null(strstr(bus.source, "'/nonexistent/DMI'"));
    assert_non_null(strstr(bus.source, "roofline theory --channels N --mts M"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_speed_and_width_are_read),
        cmocka_unit_test(two_modules_of_a_channel_are_one_channel),
        cmocka_unit_test(device_locator_serves_where_the_bank_is_silent),
        cmocka_unit_test(equal_names_in_two_arrays_are_two_channels),
        cmocka_unit_test(channels_that_are_not_named_are_unknown),
        cmocka_unit_test(modules_that_differ_have_no_common_speed),
        cmocka_unit_test(unknown_speed_and_width_stay_unknown),
        cmocka_unit_test(speed_beyond_16_bit_is_read_from_its_extension),
        cmocka_unit_test(flash_and_persistent_memory_are_no_dram),
        cmocka_unit_test(structures_after_the_end_do_not_count),
        cmocka_unit_test(table_cut_anywhere_is_read_up_to_there),
        cmocka_unit_test(string_numbers_beyond_the_strings_are_empty),
        cmocka_unit_test(unreadable_table_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
