/*
 * The part of GMime 3 that zxbackup calls (libgmime-3.0-dev).
 *
 * The prototypes are written out here, because GMime's own headers need compiler flags that a Swift package cannot pass on
 * without warnings; they follow GMime's reference manual. All objects are opaque.
 */
#ifndef ZX_CGMIME_H
#define ZX_CGMIME_H

#include <stddef.h>

typedef struct _GMimeStream GMimeStream;
typedef struct _GMimeParser GMimeParser;
typedef struct _GMimeParserOptions GMimeParserOptions;
typedef struct _GMimeFormatOptions GMimeFormatOptions;
typedef struct _GMimeMessage GMimeMessage;
typedef struct _GMimeObject GMimeObject;
typedef struct _GMimePartIter GMimePartIter;
typedef struct _GMimePart GMimePart;
typedef struct _GMimeTextPart GMimeTextPart;
typedef struct _GMimeContentType GMimeContentType;
typedef struct _InternetAddressList InternetAddressList;
typedef struct _InternetAddress InternetAddress;
typedef struct _InternetAddressMailbox InternetAddressMailbox;

void g_mime_init(void);
void g_free(void *memory);
void g_object_unref(void *object);
int g_type_check_instance_is_a(const void *instance, size_t type);

GMimeStream *g_mime_stream_mem_new_with_buffer(const char *buffer, size_t length);
GMimeParser *g_mime_parser_new_with_stream(GMimeStream *stream);
GMimeMessage *g_mime_parser_construct_message(GMimeParser *parser, GMimeParserOptions *options);

const char *g_mime_message_get_subject(GMimeMessage *message);
const char *g_mime_message_get_message_id(GMimeMessage *message);
InternetAddressList *g_mime_message_get_from(GMimeMessage *message);
InternetAddressList *g_mime_message_get_sender(GMimeMessage *message);
InternetAddressList *g_mime_message_get_to(GMimeMessage *message);
GMimeObject *g_mime_message_get_mime_part(GMimeMessage *message);

const char *g_mime_object_get_header(GMimeObject *object, const char *name);
const char *g_mime_object_get_content_id(GMimeObject *object);
const char *g_mime_object_get_disposition(GMimeObject *object);
GMimeContentType *g_mime_object_get_content_type(GMimeObject *object);
const char *g_mime_content_type_get_media_type(GMimeContentType *type);
const char *g_mime_content_type_get_media_subtype(GMimeContentType *type);
int g_mime_content_type_is_type(GMimeContentType *type, const char *media, const char *subtype);
char *g_mime_utils_header_decode_text(GMimeParserOptions *options, const char *text);

GMimePartIter *g_mime_part_iter_new(GMimeObject *top);
void g_mime_part_iter_free(GMimePartIter *iterator);
int g_mime_part_iter_is_valid(GMimePartIter *iterator);
int g_mime_part_iter_next(GMimePartIter *iterator);
GMimeObject *g_mime_part_iter_get_current(GMimePartIter *iterator);

size_t g_mime_part_get_type(void);
const char *g_mime_part_get_filename(GMimePart *part);
size_t g_mime_text_part_get_type(void);
char *g_mime_text_part_get_text(GMimeTextPart *part);

typedef struct _GDateTime GDateTime;
GDateTime *g_date_time_new_now_utc(void);
void g_date_time_unref(GDateTime *time);

/* GMimeAddressType, GMimeContentEncoding. */
enum { ZX_GMIME_FROM = 1, ZX_GMIME_TO = 3, ZX_GMIME_QUOTED_PRINTABLE = 5 };

GMimeMessage *g_mime_message_new(int pretty_headers);
void g_mime_message_add_mailbox(GMimeMessage *message, int type, const char *name, const char *address);
void g_mime_message_set_subject(GMimeMessage *message, const char *subject, const char *charset);
void g_mime_message_set_date(GMimeMessage *message, GDateTime *date);
void g_mime_message_set_message_id(GMimeMessage *message, const char *id);
void g_mime_message_set_mime_part(GMimeMessage *message, GMimeObject *part);
void g_mime_object_set_header(GMimeObject *object, const char *name, const char *value, const char *charset);
char *g_mime_object_to_string(GMimeObject *object, GMimeFormatOptions *options);
GMimeTextPart *g_mime_text_part_new(void);
void g_mime_text_part_set_charset(GMimeTextPart *part, const char *charset);
void g_mime_text_part_set_text(GMimeTextPart *part, const char *text);
void g_mime_part_set_content_encoding(GMimePart *part, int encoding);

InternetAddressList *internet_address_list_parse(GMimeParserOptions *options, const char *text);
int internet_address_list_length(InternetAddressList *list);
InternetAddress *internet_address_list_get_address(InternetAddressList *list, int index);
char *internet_address_list_to_string(InternetAddressList *list, GMimeFormatOptions *options, int encode);
const char *internet_address_get_name(InternetAddress *address);
size_t internet_address_mailbox_get_type(void);
const char *internet_address_mailbox_get_addr(InternetAddressMailbox *mailbox);

#endif
