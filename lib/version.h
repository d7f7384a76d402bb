/* version.h - the version, which the Makefile passes down. */
#ifndef RECONCILE_VERSION_H
#define RECONCILE_VERSION_H

#ifndef RECONCILE_VERSION
#define RECONCILE_VERSION "0.1.0"
#endif

#define VERSION RECONCILE_VERSION

#endif
