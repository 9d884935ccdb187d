#include "CShims.h"
#include <isa-l.h>
#include <stdlib.h>

struct zx_deflater {
    struct isal_zstream stream;
    uint8_t *level_buffer;
    uint32_t level_size;
    int level;
};

zx_deflater *zx_deflater_new(int level) {
    zx_deflater *deflater = calloc(1, sizeof *deflater);
    if (!deflater) return NULL;
    deflater->level = level;
    deflater->level_size = level == 1 ? ISAL_DEF_LVL1_DEFAULT : level == 2 ? ISAL_DEF_LVL2_DEFAULT : ISAL_DEF_LVL3_DEFAULT;
    deflater->level_buffer = malloc(deflater->level_size);
    if (!deflater->level_buffer) {
        free(deflater);
        return NULL;
    }
    zx_deflater_reset(deflater);
    return deflater;
}

void zx_deflater_free(zx_deflater *deflater) {
    if (!deflater) return;
    free(deflater->level_buffer);
    free(deflater);
}

void zx_deflater_reset(zx_deflater *deflater) {
    isal_deflate_init(&deflater->stream);
    deflater->stream.level = (uint32_t)deflater->level;
    deflater->stream.level_buf = deflater->level_buffer;
    deflater->stream.level_buf_size = deflater->level_size;
    deflater->stream.gzip_flag = IGZIP_GZIP;
    deflater->stream.flush = NO_FLUSH;
}

int64_t zx_deflater_run(zx_deflater *deflater, const uint8_t **in, size_t *in_len, int last,
                        uint8_t *out, size_t out_len, int *done) {
    struct isal_zstream *stream = &deflater->stream;
    uint32_t offered = *in_len > (1u << 30) ? (1u << 30) : (uint32_t)*in_len;
    uint32_t room = out_len > (1u << 30) ? (1u << 30) : (uint32_t)out_len;
    stream->next_in = (uint8_t *)*in;
    stream->avail_in = offered;
    stream->next_out = out;
    stream->avail_out = room;
    stream->end_of_stream = last && offered == *in_len;
    if (isal_deflate(stream) != COMP_OK) return -1;
    *in += offered - stream->avail_in;
    *in_len -= offered - stream->avail_in;
    *done = stream->internal_state.state == ZSTATE_END;
    return (int64_t)(room - stream->avail_out);
}
