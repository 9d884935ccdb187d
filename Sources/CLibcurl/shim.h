/* libcurl (libcurl4-openssl-dev): curl_easy_setopt and curl_easy_getinfo take any type, which Swift cannot call. */
#ifndef ZX_CLIBCURL_H
#define ZX_CLIBCURL_H

#include <curl/curl.h>

typedef size_t (*zx_curl_reader)(char *buffer, size_t size, size_t count, void *context);

static inline CURLcode zx_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode zx_curl_set_number(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode zx_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode zx_curl_set_reader(CURL *curl, zx_curl_reader reader, void *context) {
    CURLcode code = curl_easy_setopt(curl, CURLOPT_READFUNCTION, reader);
    return code == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_READDATA, context) : code;
}
static inline CURLcode zx_curl_get_number(CURL *curl, CURLINFO info, long *value) {
    return curl_easy_getinfo(curl, info, value);
}

#endif
