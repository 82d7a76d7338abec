/* Linked into the static program for Linux. The C library looks names up as /etc/nsswitch.conf says, and loads the modules
   named there. They belong to the C library of that machine, not to the one in the program: loading one can fail or
   crash. So only what is in the program is used: files, and for hosts DNS. */
#include <nss.h>

__attribute__((constructor)) static void use_what_is_linked(void) {
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
}
