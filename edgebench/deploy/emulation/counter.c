/* A plugin of QEMU's user-mode emulation that counts a process's instructions in a file shared with that process.
 *
 * Debian has no package of the plugin header (qemu-plugin.h), so the functions used are declared here; they are the same
 * in API versions 1 to 4. All instructions of a block are counted when it is entered. Threads add without a lock: the
 * count is exact while only one of them runs.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct block;
struct host;
enum { READS_NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin, void (*translated)(uint64_t, struct block *));
size_t qemu_plugin_tb_n_insns(const struct block *block);
void qemu_plugin_register_vcpu_tb_exec_cb(struct block *block, void (*entered)(unsigned, void *), int registers,
                                          void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = API;

static uint64_t *count;

static void entered(unsigned processor, void *instructions)
{
    *count += (uintptr_t)instructions;
}

static void translated(uint64_t plugin, struct block *block)
{
    void *instructions = (void *)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, entered, READS_NO_REGISTERS, instructions);
}

static void *shared(const char *path)
{
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0 || ftruncate(file, sizeof *count))
        return MAP_FAILED;
    void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return page;
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t plugin, const struct host *host, int argc,
                                                               char **argv)
{
    count = shared(getenv(VARIABLE));
    if (count == MAP_FAILED) {
        fprintf(stderr, "wanted the path of a file for the count in %s\n", VARIABLE);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translated);
    return 0;
}
