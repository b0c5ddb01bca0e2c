/**
 * @file
 * @brief The six relations of the comparisons.
 */
#ifndef TS_RELATION_H
#define TS_RELATION_H

#include <stdbool.h>

/** The relations, numbered as in compiler/ops/_comparison.py. */
enum {
    TS_RELATION_EQUAL = 0,
    TS_RELATION_NOT_EQUAL = 1,
    TS_RELATION_GREATER = 2,
    TS_RELATION_GREATER_EQUAL = 3,
    TS_RELATION_LESS = 4,
    TS_RELATION_LESS_EQUAL = 5,
};

/** Whether `a relation b`, of any type; a literal relation leaves one comparison. */
#define TS_RELATED(a, b, relation)                             \
    ((relation) == TS_RELATION_EQUAL           ? (a) == (b)    \
     : (relation) == TS_RELATION_NOT_EQUAL     ? (a) != (b)    \
     : (relation) == TS_RELATION_GREATER       ? (a) > (b)     \
     : (relation) == TS_RELATION_GREATER_EQUAL ? (a) >= (b)    \
     : (relation) == TS_RELATION_LESS          ? (a) < (b)     \
                                               : (a) <= (b))

#endif
