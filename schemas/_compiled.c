/* The compiled hot paths: whether a short record is certainly valid, its times as milliseconds, and whether an event is known already.

   Optional: `schemas/decoding.py` and `streams/tracking/state.py` do the same in Python, and decide unusual input.
   `tests/schemas/test_event_decoding.py` holds both to the models. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

/* As `_SHORT` of schemas/decoding.py. */
#define SHORT 500
/* More times than any event has. */
#define MAX_TIMES 6

static PyObject *name_of_value, *name_of_timestamp;

static int digits(const unsigned char *text, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)text[i] - '0';
        if (digit > 9)
            return -1;
        number = 10 * number + (int)digit;
    }
    return number;
}

static int hours_and_minutes(const unsigned char *text, int *minutes)
{
    int hour = digits(text, 2), minute = digits(text + 3, 2);
    if (hour < 0 || hour > 23 || text[2] != ':' || minute < 0 || minute > 59)
        return 0;
    *minutes = 60 * hour + minute;
    return 1;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 on, after 0000-03-01 (Howard Hinnant, chrono-compatible low-level date algorithms). */
static int64_t days_since_epoch(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400, of_era = y - 400 * era;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Read a time as `parse_time_ms` of schemas/times.py does; 0: that function states what is wrong. */
static int read_time(const unsigned char *text, Py_ssize_t length, int64_t *ms)
{
    if (length < 20 || length > 35 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[16] != ':')
        return 0;
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2), second = digits(text + 17, 2), minutes;
    if (year < 1000 || year > 9998 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return 0;
    if (!hours_and_minutes(text + 11, &minutes) || second < 0 || second > 59)
        return 0;
    const unsigned char *rest = text + 19, *end = text + length;
    int fraction = 0;
    if (*rest == '.') {
        int count = 0, unit = 100;
        for (rest++; rest < end && *rest >= '0' && *rest <= '9'; rest++, count++) {
            fraction += unit * (*rest - '0');
            unit /= 10;
        }
        if (count < 1 || count > 9)
            return 0;
    }
    int offset = 0;
    if (end - rest == 6 && (*rest == '+' || *rest == '-')) {
        if (!hours_and_minutes(rest + 1, &offset))
            return 0;
        offset = *rest == '+' ? offset : -offset;
    } else if (end - rest != 1 || *rest != 'Z') {
        return 0;
    }
    *ms = ((days_since_epoch(year, month, day) * 1440 + minutes - offset) * 60 + second) * 1000 + fraction;
    return 1;
}

/* Of U+3000 to U+3FFF, by their second and third byte: `_SPECIAL` of schemas/decoding.py. */
static int is_special(unsigned char second, unsigned char third)
{
    switch (second) {
    case 0x80:
        return third == 0x80 || (third >= 0xAA && third <= 0xAF);
    case 0x82:
        return third == 0x99 || third == 0x9A;
    case 0x85:
        return third == 0xA4;
    default:
        return 0;
    }
}

/* Whether a record is short UTF-8 whose texts hold no refused character and have no blanks at their ends, as `_is_sound` checks. */
static int is_plain(const unsigned char *text, Py_ssize_t length)
{
    const unsigned char *end = text + length, *at = text;
    if (length > SHORT || memchr(text, '\\', length) || memchr(text, 0x7F, length))
        return 0;
    while ((at = memchr(at, ' ', end - at)) != NULL) {
        if (at > text && at[-1] == '"')
            return 0;
        if (end - at > 2 && at[1] == '"' && memchr(",}] \t\n\r\f\v", at[2], 9))
            return 0;
        at++;
    }
    for (at = text; at < end;) {
        uint64_t eight;
        if (end - at >= 8) {
            memcpy(&eight, at, 8);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        if (*at < 0xE3 || *at > 0xE9 || end - at < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
            return 0;
        if (*at == 0xE3 && is_special(at[1], at[2]))
            return 0;
        at += 3;
    }
    return 1;
}

/* Put milliseconds in place of the texts of an event's times; the first two are when it occurred and was received. 1: done; 0: unchanged,
   left to `parse_time_ms`; -1: an error is set. */
static int put_times(PyObject *event, PyObject *names, int64_t ms[MAX_TIMES])
{
    Py_ssize_t number = PyTuple_GET_SIZE(names);
    int is_known[MAX_TIMES];
    if (number < 2 || number > MAX_TIMES)
        return 0;
    for (Py_ssize_t i = 0; i < number; i++) {
        PyObject *text = PyObject_GetAttr(event, PyTuple_GET_ITEM(names, i));
        if (text == NULL)
            return -1;
        is_known[i] = text != Py_None;
        int is_right = (!is_known[i] && i >= 2) || (PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text) &&
                                        read_time(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), &ms[i]));
        Py_DECREF(text);
        if (!is_right)
            return 0;
    }
    for (Py_ssize_t i = 0; i < number; i++) {
        if (!is_known[i])
            continue;
        PyObject *value = PyLong_FromLongLong(ms[i]);
        if (value == NULL)
            return -1;
        int failed = PyObject_SetAttr(event, PyTuple_GET_ITEM(names, i), value);
        Py_DECREF(value);
        if (failed)
            return -1;
    }
    return 1;
}

/* Decode one record; NULL without an error: it is not certainly valid, or its times are not plausible. `ms` as in put_times. */
static PyObject *read_record(PyObject *value, PyObject *read, PyObject *times, int64_t ms[MAX_TIMES])
{
    if (!PyBytes_CheckExact(value) || !is_plain((const unsigned char *)PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)))
        return NULL;
    PyObject *event = PyObject_CallOneArg(read, value);
    if (event == NULL) {
        if (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_RecursionError))
            PyErr_Clear();
        return NULL;
    }
    PyObject *kind = PyDict_GetItemWithError(times, (PyObject *)Py_TYPE(event));
    PyObject *names, *judge;
    if (kind == NULL || !PyArg_UnpackTuple(kind, "times", 2, 2, &names, &judge) || !PyTuple_CheckExact(names)) {
        Py_DECREF(event);
        return NULL;
    }
    int done = put_times(event, names, ms);
    if (done == 1 && judge != Py_None) {
        PyObject *wrong = PyObject_CallOneArg(judge, event);
        done = wrong == Py_None;
        Py_XDECREF(wrong);
    }
    if (done == 1)
        return event;
    Py_DECREF(event);
    return NULL;
}

static PyObject *decode(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t ms[MAX_TIMES];
    if (count != 3 || !PyDict_CheckExact(args[2]))
        return PyErr_Format(PyExc_TypeError, "decode takes a record's value, what reads it and the times of each type of event");
    PyObject *event = read_record(args[0], args[1], args[2], ms);
    if (event != NULL || PyErr_Occurred())
        return event;
    Py_RETURN_NONE;
}

static PyObject *decode_all(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 5 || !PyDict_CheckExact(args[2]))
        return PyErr_Format(PyExc_TypeError, "decode_all takes records, what reads one, the times of each type of event and two bounds");
    long long earliest = PyLong_AsLongLong(args[3]), ahead = PyLong_AsLongLong(args[4]);
    if (PyErr_Occurred())
        return NULL;
    PyObject *records = PySequence_Fast(args[0], "records are a sequence");
    if (records == NULL)
        return NULL;
    Py_ssize_t number = PySequence_Fast_GET_SIZE(records);
    PyObject *found = PyList_New(number);
    for (Py_ssize_t i = 0; found != NULL && i < number; i++) {
        PyObject *record = PySequence_Fast_GET_ITEM(records, i), *event = NULL;
        PyObject *value = PyObject_GetAttr(record, name_of_value), *timestamp = PyObject_GetAttr(record, name_of_timestamp);
        int64_t ms[MAX_TIMES];
        if (value != NULL && timestamp != NULL && PyLong_CheckExact(timestamp)) {
            event = read_record(value, args[1], args[2], ms);
            /* As `process` of streams/stages/track.py: it checks all other events. */
            if (event != NULL) {
                long long appended = PyLong_AsLongLong(timestamp);
                if (ms[0] < earliest || ms[0] > ms[1] + ahead || ms[1] > appended)
                    Py_CLEAR(event);
            }
        }
        Py_XDECREF(value);
        Py_XDECREF(timestamp);
        if (PyErr_Occurred())
            Py_CLEAR(found);
        else
            PyList_SET_ITEM(found, i, event == NULL ? Py_NewRef(Py_None) : event);
    }
    Py_DECREF(records);
    return found;
}

static PyObject *any_has(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyList_CheckExact(args[0]) || !Py_IS_TYPE(args[1], &PyMemberDescr_Type) || !PyUnicode_CheckExact(args[2]) ||
        ((PyMemberDescrObject *)args[1])->d_member->type != T_OBJECT_EX)
        return PyErr_Format(PyExc_TypeError, "any_has takes a list, a slot and a text");
    PyTypeObject *owner = PyDescr_TYPE(args[1]);
    Py_ssize_t offset = ((PyMemberDescrObject *)args[1])->d_member->offset, length = PyUnicode_GET_LENGTH(args[2]);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *item = PyList_GET_ITEM(args[0], i), *text;
        if (!PyObject_TypeCheck(item, owner))
            return PyErr_Format(PyExc_TypeError, "any_has found what has no such slot");
        text = *(PyObject **)((char *)item + offset);
        if (text == args[2] || (text != NULL && PyUnicode_CheckExact(text) && PyUnicode_GET_LENGTH(text) == length &&
                                PyUnicode_Compare(text, args[2]) == 0))
            Py_RETURN_TRUE;
    }
    Py_RETURN_FALSE;
}

static PyMethodDef methods[] = {
    {"any_has", (PyCFunction)(void (*)(void))any_has, METH_FASTCALL,
     "any_has(items, slot, text)\n--\n\nSay whether any of some objects has a text in a slot of their type."},
    {"decode", (PyCFunction)(void (*)(void))decode, METH_FASTCALL,
     "decode(value, read, times)\n--\n\nReturn the event of a short record that is certainly right, None of any other."},
    {"decode_all", (PyCFunction)(void (*)(void))decode_all, METH_FASTCALL,
     "decode_all(records, read, times, earliest_ms, ahead_ms)\n--\n\nReturn what `decode` does of each record; None also where it occurred "
     "or was received too early or too late."},
    {NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
    name_of_value = PyUnicode_InternFromString("value");
    name_of_timestamp = PyUnicode_InternFromString("timestamp");
    return name_of_value == NULL || name_of_timestamp == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, start}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_compiled", .m_doc = "Decoding, compiled.", .m_size = 0, .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
