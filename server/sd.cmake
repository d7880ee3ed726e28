# drift_sd: what driftd and systemd tell each other; a quiet stub where libsystemd is missing.
pkg_check_modules(LIBSYSTEMD QUIET IMPORTED_TARGET libsystemd)
drift_library(drift_sd_stub
    SOURCES ${CMAKE_SOURCE_DIR}/server/sd_stub.c ${CMAKE_SOURCE_DIR}/server/sd_journal.c
    LINK drift_base)
if(LIBSYSTEMD_FOUND)
    drift_library(drift_sd
        SOURCES ${CMAKE_SOURCE_DIR}/server/sd.c ${CMAKE_SOURCE_DIR}/server/sd_journal.c
        LINK drift_base
        PRIVATE_LINK PkgConfig::LIBSYSTEMD)
else()
    add_library(drift_sd ALIAS drift_sd_stub)
endif()
