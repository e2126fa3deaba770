/* Fast path of event intake: the usual event of a known subject, later than all its facts.

   Optional: `streams/tracking/contacts.py` and `agents.py` do the same without it, and apply the events left out here. An event is accepted
   or left out before any state changes. `tests/properties/test_intake.py` compares the state of both paths. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

static PyObject *name_of_received_through, *name_of_kind;

/* ---- objects with slots */

/* Offset of a slot in objects of a type; -1 with an error set: no such slot. */
static Py_ssize_t slot_of(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    if (found == NULL)
        return -1;
    Py_ssize_t offset = -1;
    if (Py_IS_TYPE(found, &PyMemberDescr_Type) && ((PyMemberDescrObject *)found)->d_member->type == T_OBJECT_EX)
        offset = ((PyMemberDescrObject *)found)->d_member->offset;
    else
        PyErr_Format(PyExc_TypeError, "%R has no slot %s", type, name);
    Py_DECREF(found);
    return offset;
}

/* Value of a slot, borrowed; NULL: unset. */
#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

static void put(PyObject *object, Py_ssize_t offset, PyObject *value)
{
    PyObject *before = SLOT(object, offset);
    SLOT(object, offset) = Py_NewRef(value);
    Py_XDECREF(before);
}

/* A non-negative integer; -1: not one, or too large. */
static long long number(PyObject *value)
{
    if (value == NULL || !PyLong_CheckExact(value))
        return -1;
    int beyond;
    long long found = PyLong_AsLongLongAndOverflow(value, &beyond);
    return beyond || found < 0 ? -1 : found;
}

static int is_same(PyObject *text, PyObject *other)
{
    return text == other || (text != NULL && other != NULL && PyUnicode_CheckExact(text) && PyUnicode_CheckExact(other) &&
                             PyUnicode_GET_LENGTH(text) == PyUnicode_GET_LENGTH(other) && PyUnicode_Compare(text, other) == 0);
}

/* ---- common to contacts and agents */

enum { KINDS, SUBJECTS, SOURCES, SUFFIXES, JOURNALS, QUARANTINED, WATCHED, WATERMARK, ADMIT, ADMITTED, KEEP, HELD, UNREAD, PACKED, UNCLAIMED, OWN, PARTS };
enum { EVENT, SUBJECT, STATE, DISORDER, FACT, TYPES };

typedef struct {
    PyObject_HEAD
    PyObject *part[PARTS];
    PyTypeObject *type[TYPES];
    /* Offsets of slots in events, */
    Py_ssize_t source, occurred, received, event_id, revision;
    /* conversations, their states and disorder, */
    Py_ssize_t name, state, fresh, newest, revised, disorder, last_source, last_contact, facts, recounted;
    /* facts, */
    Py_ssize_t at, sequence, id, contact;
    /* and agents. */
    Py_ssize_t ids, base_at, agent_facts, held;
    /* Limits; of subjects and events of a source 0 is none. */
    long long late_ms, pane_ms, max_facts, max_recounted, max_subjects, max_events;
} Intake;

static int intake_traverse(Intake *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < PARTS; i++)
        Py_VISIT(self->part[i]);
    for (int i = 0; i < TYPES; i++)
        Py_VISIT(self->type[i]);
    return 0;
}

static int intake_clear(Intake *self)
{
    for (int i = 0; i < PARTS; i++)
        Py_CLEAR(self->part[i]);
    for (int i = 0; i < TYPES; i++)
        Py_CLEAR(self->type[i]);
    return 0;
}

static void intake_dealloc(Intake *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    intake_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* A slot of one of the types. */
typedef struct {
    int of;
    const char *name;
    Py_ssize_t *offset;
} Slot;

/* Set the parts and types of an intake; unused ones are NULL. */
static int set_up(Intake *self, PyObject *part[PARTS], PyObject *type[TYPES], const Slot *slots, size_t number_of_slots)
{
    const Slot of_events[] = {
        {EVENT, "source", &self->source},     {EVENT, "occurred_ms", &self->occurred}, {EVENT, "received_ms", &self->received},
        {EVENT, "event_id", &self->event_id}, {EVENT, "revision", &self->revision},
    };
    if (self->type[EVENT] != NULL || self->pane_ms < 1) {
        PyErr_SetString(PyExc_ValueError, "an intake is set up once, for panes of a millisecond or more");
        return -1;
    }
    const size_t of_event = Py_ARRAY_LENGTH(of_events);
    for (size_t i = 0; i < of_event + number_of_slots; i++) {
        const Slot *slot = i < of_event ? &of_events[i] : &slots[i - of_event];
        if ((*slot->offset = slot_of(type[slot->of], slot->name)) < 0)
            return -1;
    }
    for (int i = 0; i < PARTS; i++)
        self->part[i] = Py_XNewRef(part[i]);
    for (int i = 0; i < TYPES; i++)
        self->type[i] = (PyTypeObject *)Py_XNewRef(type[i]);
    return 0;
}

/* Results for an event: 1 accepted, 0 left out, -1 an error is set. */

/* Fields of an event and of its source, borrowed. */
typedef struct {
    PyObject *source, *received, *event_id;
    long long at_ms, received_ms;
    int is_newest; /* of its source */
} Received;

/* Read the common fields of an event and the entry of its type; 1: it is usual. */
static int read_event(Intake *self, PyObject *event, Received *received, PyObject **id, PyObject **make, PyObject **fields, PyObject **begins)
{
    PyObject *const *part = self->part;
    PyObject *kind = PyDict_GetItemWithError(part[KINDS], (PyObject *)Py_TYPE(event)), *id_slot;
    if (kind == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyArg_UnpackTuple(kind, "kind", 4, 4, &id_slot, make, fields, begins))
        return -1;
    if (!PyObject_TypeCheck(event, self->type[EVENT]) || !Py_IS_TYPE(id_slot, &PyMemberDescr_Type) ||
        !PyObject_TypeCheck(event, PyDescr_TYPE(id_slot)) || ((PyMemberDescrObject *)id_slot)->d_member->type != T_OBJECT_EX)
        return 0;
    *id = SLOT(event, ((PyMemberDescrObject *)id_slot)->d_member->offset);
    if (*id == NULL || !PyUnicode_CheckExact(*id))
        return 0;
    received->source = SLOT(event, self->source), received->received = SLOT(event, self->received), received->event_id = SLOT(event, self->event_id);
    received->at_ms = number(SLOT(event, self->occurred)), received->received_ms = number(received->received);
    PyObject *revision = SLOT(event, self->revision);
    if (received->source == NULL || !PyUnicode_CheckExact(received->source) || received->event_id == NULL || !PyUnicode_CheckExact(received->event_id) ||
        received->at_ms < 0 || received->received_ms < 0 || (revision != Py_None && number(revision) != 0))
        return 0;
    if (received->received_ms > received->at_ms - received->at_ms % self->pane_ms + self->late_ms)
        return 0;
    int is_excluded = 0;
    if (PyDict_GET_SIZE(part[QUARANTINED]))
        is_excluded = PyDict_Contains(part[QUARANTINED], received->source);
    if (is_excluded == 0 && PyDict_GET_SIZE(part[WATCHED]))
        is_excluded = PyDict_Contains(part[WATCHED], received->source);
    if (is_excluded == 0 && PySet_GET_SIZE(part[JOURNALS]))
        is_excluded = PySet_Contains(part[JOURNALS], received->source);
    if (is_excluded)
        return is_excluded < 0 ? -1 : 0;
    PyObject *last = PyDict_GetItemWithError(part[SOURCES], received->source);
    if (last == NULL)
        return PyErr_Occurred() ? -1 : 0;
    long long last_ms = number(last);
    received->is_newest = received->received_ms > last_ms;
    return last_ms < 0 ? 0 : 1;
}

/* Record that its source has sent it, as `received` of streams/tracking/watermark.py. */
static int note_received(Intake *self, const Received *received, long long *through)
{
    if (!received->is_newest)
        return 0;
    if (received->received_ms > *through)
        *through = received->received_ms;
    return PyDict_SetItem(self->part[SOURCES], received->source, received->received);
}

/* The counts of a source, borrowed, if there is room for an event; NULL without an error: there is none. */
static PyObject *room(Intake *self, PyObject *counts)
{
    if (counts == NULL || !PyList_CheckExact(counts) || PyList_GET_SIZE(counts) != 2)
        return NULL;
    long long events = number(PyList_GET_ITEM(counts, 1));
    return events < 0 || (self->max_events > 0 && events >= self->max_events) ? NULL : counts;
}

/* Add one to the subjects or events of a source. */
static int count(PyObject *counts, int index)
{
    PyObject *more = PyLong_FromLongLong(number(PyList_GET_ITEM(counts, index)) + 1);
    return more == NULL ? -1 : PyList_SetItem(counts, index, more);
}

/* Admit the names of an event if that may change anything; `begins`: its subject is new. */
static int admit(Intake *self, PyObject *event, PyObject *fields, int begins)
{
    if (fields == Py_None)
        return 0;
    if (!PyTuple_CheckExact(fields)) {
        PyErr_SetString(PyExc_TypeError, "fields are pairs of a name and its kind");
        return -1;
    }
    int has_any = 0;
    for (Py_ssize_t i = 0; !has_any && i < PyTuple_GET_SIZE(fields); i++) {
        PyObject *field, *kind;
        if (!PyArg_UnpackTuple(PyTuple_GET_ITEM(fields, i), "field", 2, 2, &field, &kind))
            return -1;
        /* An arrival only changes earlier queues. */
        if (begins && PyUnicode_CheckExact(kind) && PyUnicode_CompareWithASCIIString(kind, "arrival") == 0)
            continue;
        PyObject *name = PyObject_GetAttr(event, field), *admitted = PyDict_GetItemWithError(self->part[ADMITTED], kind);
        if (name == NULL || PyErr_Occurred()) {
            Py_XDECREF(name);
            return -1;
        }
        /* Configured names have no limit. */
        int is_admitted = name == Py_None ? 1 : admitted == NULL ? 0 : PySet_Contains(admitted, name);
        Py_DECREF(name);
        if (is_admitted < 0)
            return -1;
        has_any = !is_admitted;
    }
    if (!has_any)
        return 0;
    PyObject *args[] = {event, fields}, *done = PyObject_Vectorcall(self->part[ADMIT], args, 2, NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* ---- contacts */

static int contacts_init(Intake *self, PyObject *args, PyObject *options)
{
    static char *names[] = {"kinds", "conversations", "sources", "suffixes", "journals", "quarantined", "watched", "progress", "admit", "admitted",
                            "put", "held", "unread", "packed", "unclaimed", "types", "late_ms", "pane_ms", "max_facts", "max_recounted", "max_subjects",
                            "max_events", NULL};
    PyObject *part[PARTS] = {NULL}, *type[TYPES] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, options, "$O!O!O!O!O!O!O!OOO!OO!O!O!O!(O!O!O!O!O!)LLLLLL", names, &PyDict_Type, &part[KINDS], &PyDict_Type,
                                     &part[SUBJECTS], &PyDict_Type, &part[SOURCES], &PyDict_Type, &part[SUFFIXES], &PyFrozenSet_Type,
                                     &part[JOURNALS], &PyDict_Type, &part[QUARANTINED], &PyDict_Type, &part[WATCHED], &part[WATERMARK],
                                     &part[ADMIT], &PyDict_Type, &part[ADMITTED], &part[KEEP], &PyDict_Type, &part[HELD], &PyDict_Type,
                                     &part[UNREAD], &PyDict_Type, &part[PACKED], &PySet_Type, &part[UNCLAIMED], &PyType_Type, &type[EVENT], &PyType_Type, &type[SUBJECT],
                                     &PyType_Type, &type[STATE], &PyType_Type, &type[DISORDER], &PyType_Type, &type[FACT], &self->late_ms,
                                     &self->pane_ms, &self->max_facts, &self->max_recounted, &self->max_subjects, &self->max_events))
        return -1;
    const Slot slots[] = {
        {SUBJECT, "name", &self->name},           {SUBJECT, "state", &self->state},         {SUBJECT, "fresh", &self->fresh},
        {SUBJECT, "newest", &self->newest},       {SUBJECT, "revised", &self->revised},     {SUBJECT, "disorder", &self->disorder},
        {SUBJECT, "source", &self->last_source},  {SUBJECT, "contact", &self->last_contact}, {STATE, "facts", &self->facts},
        {DISORDER, "counted_anew", &self->recounted}, {FACT, "at", &self->at},           {FACT, "sequence", &self->sequence},
        {FACT, "event_id", &self->id},            {FACT, "contact", &self->contact},
    };
    return set_up(self, part, type, slots, Py_ARRAY_LENGTH(slots));
}

/* 1: known, 0: unknown, -1: not a list of facts. */
static int knows(Intake *self, PyObject *facts, PyObject *event_id)
{
    if (facts == NULL || !PyList_CheckExact(facts))
        return -1;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(facts); i++) {
        PyObject *fact = PyList_GET_ITEM(facts, i);
        if (!PyObject_TypeCheck(fact, self->type[FACT]))
            return -1;
        if (is_same(SLOT(fact, self->id), event_id))
            return 1;
    }
    return 0;
}

/* Whether an event is new to a conversation, and there is room for it in any order. */
static int is_new(Intake *self, PyObject *c, PyObject *event_id)
{
    PyObject *state = SLOT(c, self->state), *fresh = SLOT(c, self->fresh), *newest = SLOT(c, self->newest), *disorder = SLOT(c, self->disorder);
    if (state == NULL || !Py_IS_TYPE(state, self->type[STATE]) || fresh == NULL || SLOT(c, self->revised) != Py_None || newest == NULL ||
        disorder == NULL || !PyObject_TypeCheck(newest, self->type[FACT]))
        return 0;
    PyObject *facts = SLOT(state, self->facts);
    if (knows(self, facts, event_id) || (fresh != Py_None && knows(self, fresh, event_id)))
        return 0;
    Py_ssize_t known = PyList_GET_SIZE(facts) + (fresh == Py_None ? 0 : PyList_GET_SIZE(fresh));
    /* The highest cost of a fact out of order. */
    long long recounted = known + 1;
    if (disorder != Py_None) {
        long long before = Py_IS_TYPE(disorder, self->type[DISORDER]) ? number(SLOT(disorder, self->recounted)) : -1;
        if (before < 0)
            return 0;
        recounted += before;
    }
    return known < self->max_facts && recounted <= self->max_recounted;
}

/* As `precedes` of streams/tracking/facts.py; -1: an error is set. */
static int precedes(Intake *self, PyObject *fact, PyObject *other)
{
    const Py_ssize_t slots[] = {self->at, self->sequence};
    for (int i = 0; i < 2; i++) {
        PyObject *value = SLOT(fact, slots[i]), *other_value = SLOT(other, slots[i]);
        if (value == NULL || other_value == NULL || !PyLong_CheckExact(value) || !PyLong_CheckExact(other_value)) {
            PyErr_SetString(PyExc_TypeError, "facts have whole numbers");
            return -1;
        }
        int differs = PyObject_RichCompareBool(value, other_value, Py_NE);
        if (differs)
            return differs < 0 ? -1 : PyObject_RichCompareBool(value, other_value, Py_LT);
    }
    if (Py_TYPE(fact) != Py_TYPE(other)) {
        PyObject *kind = PyObject_GetAttr((PyObject *)Py_TYPE(fact), name_of_kind), *other_kind = PyObject_GetAttr((PyObject *)Py_TYPE(other), name_of_kind);
        int is_before = kind == NULL || other_kind == NULL ? -1 : PyObject_RichCompareBool(kind, other_kind, Py_LT);
        Py_XDECREF(kind);
        Py_XDECREF(other_kind);
        return is_before;
    }
    return PyObject_RichCompareBool(SLOT(fact, self->id), SLOT(other, self->id), Py_LT);
}

/* Add a fact for the next fold, as `put` of streams/tracking/fold.py, which is called for one out of order. */
static int put_fact(Intake *self, PyObject *c, PyObject *fact, PyObject *unfolded)
{
    PyObject *fresh = SLOT(c, self->fresh), *newest = SLOT(c, self->newest);
    if (fresh == Py_None && PyList_Append(unfolded, c) < 0)
        return -1;
    int is_next = newest == Py_None ? 1 : precedes(self, newest, fact);
    if (is_next < 0)
        return -1;
    if (!is_next) {
        PyObject *args[] = {c, fact}, *done = PyObject_Vectorcall(self->part[KEEP], args, 2, NULL);
        Py_XDECREF(done);
        return done == NULL ? -1 : 0;
    }
    put(c, self->newest, fact);
    if (fresh != Py_None)
        return PyList_Append(fresh, fact);
    fresh = PyList_New(1);
    if (fresh == NULL)
        return -1;
    PyList_SET_ITEM(fresh, 0, Py_NewRef(fact));
    put(c, self->fresh, fresh);
    Py_DECREF(fresh);
    return 0;
}

/* Store a fact of a conversation. */
static int keep(Intake *self, PyObject *c, PyObject *fact, PyObject *source, PyObject *changed, PyObject *unfolded)
{
    if (put_fact(self, c, fact, unfolded) < 0 || PyDict_SetItem(changed, SLOT(c, self->name), Py_None) < 0)
        return -1;
    if (SLOT(c, self->newest) != fact)
        return 0;
    if (!is_same(SLOT(c, self->last_source), source)) {
        Py_INCREF(source);
        PyUnicode_InternInPlace(&source);
        put(c, self->last_source, source);
        Py_DECREF(source);
    }
    PyObject *contact = SLOT(fact, self->contact);
    if (contact != NULL && PyUnicode_CheckExact(contact) && PyUnicode_GET_LENGTH(contact))
        put(c, self->last_contact, contact);
    return 0;
}

/* Find or create the conversation of an event, as a new reference; NULL without an error: left out. `name`: set, owned, for a new one. */
static PyObject *conversation_of(Intake *self, PyObject *id, PyObject *suffix, PyObject *counts, int begins, PyObject **name)
{
    *name = PyUnicode_Concat(id, suffix);
    if (*name == NULL)
        return NULL;
    PyObject *c = PyDict_GetItemWithError(self->part[SUBJECTS], *name);
    if (c != NULL) {
        Py_CLEAR(*name);
        /* A first event may exclude the entire conversation. */
        return begins || !Py_IS_TYPE(c, self->type[SUBJECT]) ? NULL : Py_NewRef(c);
    }
    long long subjects = number(PyList_GET_ITEM(counts, 0));
    int known = PyErr_Occurred() || subjects < 0 || (self->max_subjects > 0 && subjects >= self->max_subjects) || PySet_GET_SIZE(self->part[UNCLAIMED]);
    if (!known)
        known = PyDict_Contains(self->part[UNREAD], *name);
    if (!known)
        known = PyDict_Contains(self->part[PACKED], *name);
    if (!known && (c = PyObject_CallOneArg((PyObject *)self->type[SUBJECT], *name)) != NULL)
        return c;
    Py_CLEAR(*name);
    return NULL;
}

static int take_contact_event(Intake *self, PyObject *event, PyObject *changed, PyObject *unfolded, long long *through)
{
    PyObject *id, *make, *fields, *begins;
    Received received;
    int is_usual = read_event(self, event, &received, &id, &make, &fields, &begins);
    if (is_usual <= 0)
        return is_usual;
    PyObject *c = NULL, *counts = NULL, *name = NULL, *fact = NULL;
    if (make != Py_None) {
        PyObject *suffix = PyDict_GetItemWithError(self->part[SUFFIXES], received.source);
        if (suffix == NULL || !PyUnicode_CheckExact(suffix) ||
            (counts = room(self, PyDict_GetItemWithError(self->part[HELD], suffix))) == NULL ||
            (c = conversation_of(self, id, suffix, counts, begins == Py_True, &name)) == NULL)
            return PyErr_Occurred() ? -1 : 0;
        if (name == NULL && !is_new(self, c, received.event_id)) {
            Py_DECREF(c);
            return PyErr_Occurred() ? -1 : 0;
        }
        Py_INCREF(counts);
    }
    /* From here on the event is accepted. */
    int done = admit(self, event, fields, name != NULL);
    if (done == 0 && make != Py_None) {
        fact = PyObject_CallOneArg(make, event);
        if (fact != NULL && fact != Py_None && !PyObject_TypeCheck(fact, self->type[FACT]))
            PyErr_SetString(PyExc_TypeError, "the function of facts returned something else");
        if (PyErr_Occurred())
            done = -1;
    }
    if (done == 0)
        done = note_received(self, &received, through);
    if (done == 0 && fact != NULL && fact != Py_None) {
        if (name != NULL && (PyDict_SetItem(self->part[SUBJECTS], name, c) < 0 || count(counts, 0) < 0))
            done = -1;
        else if (keep(self, c, fact, received.source, changed, unfolded) < 0 || count(counts, 1) < 0)
            done = -1;
    }
    Py_XDECREF(fact);
    Py_XDECREF(name);
    Py_XDECREF(c);
    Py_XDECREF(counts);
    return done < 0 ? -1 : 1;
}

/* ---- agents */

static int agents_init(Intake *self, PyObject *args, PyObject *options)
{
    static char *names[] = {"kinds", "agents", "sources", "suffixes", "journals", "quarantined", "watched", "progress", "admit", "admitted", "take",
                            "own", "types", "late_ms", "pane_ms", "max_facts", "max_events", NULL};
    PyObject *part[PARTS] = {NULL}, *type[TYPES] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, options, "$O!O!O!O!O!O!O!OOO!OO!(O!O!)LLLL", names, &PyDict_Type, &part[KINDS], &PyDict_Type,
                                     &part[SUBJECTS], &PyDict_Type, &part[SOURCES], &PyDict_Type, &part[SUFFIXES], &PyFrozenSet_Type,
                                     &part[JOURNALS], &PyDict_Type, &part[QUARANTINED], &PyDict_Type, &part[WATCHED], &part[WATERMARK],
                                     &part[ADMIT], &PyDict_Type, &part[ADMITTED], &part[KEEP], &PyDict_Type, &part[OWN], &PyType_Type,
                                     &type[EVENT], &PyType_Type, &type[SUBJECT], &self->late_ms, &self->pane_ms, &self->max_facts,
                                     &self->max_events))
        return -1;
    const Slot slots[] = {
        {SUBJECT, "ids", &self->ids}, {SUBJECT, "base_at", &self->base_at}, {SUBJECT, "facts", &self->agent_facts}, {SUBJECT, "held", &self->held},
    };
    return set_up(self, part, type, slots, Py_ARRAY_LENGTH(slots));
}

/* Whether an event of an agent is new, later than its facts and booked time, and there is room for it. */
static int is_next(Intake *self, PyObject *agent, const Received *received, long long booked_ms)
{
    PyObject *ids = SLOT(agent, self->ids), *base_at = SLOT(agent, self->base_at), *facts = SLOT(agent, self->agent_facts);
    if (ids == NULL || !PySet_CheckExact(ids) || base_at == NULL || facts == NULL || !PyList_CheckExact(facts) || received->at_ms < booked_ms ||
        PySet_GET_SIZE(ids) >= self->max_facts || room(self, SLOT(agent, self->held)) == NULL)
        return 0;
    long long last_ms = base_at == Py_None ? -1 : number(base_at);
    if (PyList_GET_SIZE(facts)) {
        PyObject *last = PyList_GET_ITEM(facts, PyList_GET_SIZE(facts) - 1);
        if (!PyTuple_CheckExact(last) || !PyTuple_GET_SIZE(last) || (last_ms = number(PyTuple_GET_ITEM(last, 0))) < 0)
            return 0;
    } else if (base_at != Py_None && last_ms < 0) {
        return 0;
    }
    if (received->at_ms <= last_ms)
        return 0;
    int is_known = PySet_Contains(ids, received->event_id);
    return is_known < 0 ? -1 : !is_known;
}

static int take_agent_event(Intake *self, PyObject *event, long long booked_ms, long long *through)
{
    PyObject *id, *make, *fields, *begins;
    Received received;
    int done = read_event(self, event, &received, &id, &make, &fields, &begins);
    if (done <= 0)
        return done;
    int is_own = PyDict_Contains(self->part[OWN], id);
    PyObject *suffix = is_own ? NULL : PyDict_GetItemWithError(self->part[SUFFIXES], received.source);
    if (suffix == NULL || !PyUnicode_CheckExact(suffix))
        return PyErr_Occurred() ? -1 : 0;
    PyObject *name = PyUnicode_Concat(id, suffix), *fact = NULL;
    if (name == NULL)
        return -1;
    PyObject *agent = Py_XNewRef(PyDict_GetItemWithError(self->part[SUBJECTS], name));
    done = agent != NULL && Py_IS_TYPE(agent, self->type[SUBJECT]) ? is_next(self, agent, &received, booked_ms) : PyErr_Occurred() ? -1 : 0;
    /* From here on the event is accepted. */
    if (done > 0 && (admit(self, event, fields, 0) < 0 || note_received(self, &received, through) < 0 || (fact = PyObject_CallOneArg(make, event)) == NULL))
        done = -1;
    if (done > 0) {
        PyObject *kept[] = {name, agent, fact, event}, *taken = PyObject_Vectorcall(self->part[KEEP], kept, 4, NULL);
        Py_XDECREF(taken);
        if (taken == NULL)
            done = -1;
    }
    Py_DECREF(name);
    Py_XDECREF(fact);
    Py_XDECREF(agent);
    return done;
}

/* ---- from a list */

/* Context of a list of events: of contacts the changed and the unfolded ones, of agents the end of the booked time. */
typedef struct {
    PyObject *changed, *unfolded;
    long long booked_ms;
} Context;

static PyObject *take(Intake *self, PyObject *events, PyObject *first, const Context *context)
{
    if (!PyList_CheckExact(events) || !PyLong_CheckExact(first) || self->type[EVENT] == NULL)
        return PyErr_Format(PyExc_TypeError, "take expects a list of events and an index");
    long long index = number(first), through, before;
    if (index < 0)
        return PyErr_Format(PyExc_ValueError, "the index is negative or too large");
    PyObject *watermark = self->part[WATERMARK], *received_through = PyObject_GetAttr(watermark, name_of_received_through);
    if (received_through == NULL)
        return NULL;
    through = before = number(received_through);
    Py_DECREF(received_through);
    int done = 1;
    for (; done > 0 && index < PyList_GET_SIZE(events); index += done > 0) {
        PyObject *event = Py_NewRef(PyList_GET_ITEM(events, index));
        if (event == Py_None)
            done = 0;
        else
            done = context->changed == NULL ? take_agent_event(self, event, context->booked_ms, &through)
                                         : take_contact_event(self, event, context->changed, context->unfolded, &through);
        Py_DECREF(event);
    }
    if (done >= 0 && through > before) {
        PyObject *value = PyLong_FromLongLong(through);
        if (value == NULL || PyObject_SetAttr(watermark, name_of_received_through, value) < 0)
            done = -1;
        Py_XDECREF(value);
    }
    return done < 0 ? NULL : PyLong_FromLongLong(index);
}

static PyObject *take_contacts(Intake *self, PyObject *const *args, Py_ssize_t count_of_args)
{
    if (count_of_args != 4 || !PyDict_CheckExact(args[2]) || !PyList_CheckExact(args[3]))
        return PyErr_Format(PyExc_TypeError, "take expects events, an index, changed names and unfolded conversations");
    Context context = {args[2], args[3], -1};
    return take(self, args[0], args[1], &context);
}

static PyObject *take_agents(Intake *self, PyObject *const *args, Py_ssize_t count_of_args)
{
    if (count_of_args != 3 || (args[2] != Py_None && number(args[2]) < 0))
        return PyErr_Format(PyExc_TypeError, "take expects events, an index and the end of the booked time");
    Context context = {NULL, NULL, args[2] == Py_None ? -1 : number(args[2])};
    return take(self, args[0], args[1], &context);
}

static PyMethodDef of_contacts[] = {
    {"take", (PyCFunction)(void (*)(void))take_contacts, METH_FASTCALL,
     "take(events, index, changed, unfolded)\n--\n\nAccept contact events from an index on; return the index of the first left out."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef of_agents[] = {
    {"take", (PyCFunction)(void (*)(void))take_agents, METH_FASTCALL,
     "take(events, index, booked_to)\n--\n\nAccept agent events from an index on; return the index of the first left out."},
    {NULL, NULL, 0, NULL},
};

#define SLOTS(doc, init, methods)                                                                                                          \
    {                                                                                                                                      \
        {Py_tp_doc, doc}, {Py_tp_init, init}, {Py_tp_traverse, intake_traverse}, {Py_tp_clear, intake_clear},                              \
            {Py_tp_dealloc, intake_dealloc}, {Py_tp_methods, methods}, {0, NULL},                                                          \
    }

static PyType_Slot contacts_slots[] = SLOTS("Accepts the usual contact events of one partition.", contacts_init, of_contacts);
static PyType_Slot agents_slots[] = SLOTS("Accepts the usual agent events of one partition.", agents_init, of_agents);

static PyType_Spec specs[] = {
    {"streams.tracking._intake.ContactIntake", sizeof(Intake), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, contacts_slots},
    {"streams.tracking._intake.AgentIntake", sizeof(Intake), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, agents_slots},
};

static int start(PyObject *module)
{
    name_of_received_through = PyUnicode_InternFromString("received_through");
    name_of_kind = PyUnicode_InternFromString("kind");
    if (name_of_received_through == NULL || name_of_kind == NULL)
        return -1;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(specs); i++) {
        PyObject *type = PyType_FromSpec(&specs[i]);
        int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0;
        Py_XDECREF(type);
        if (failed)
            return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, start}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_intake", .m_doc = "Fast path of event intake.", .m_size = 0, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__intake(void)
{
    return PyModuleDef_Init(&definition);
}
