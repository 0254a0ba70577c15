/* win32.h: windows.h without what nobody here needs: Winsock's first version, min and max. */
#ifndef IOCPREUSE_BASE_WIN32_H
#define IOCPREUSE_BASE_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#endif
