# Built from the library's sources, which scripts/vendor.js puts here. libuv and Node-API are Node's own, of which
# only the headers are used; llhttp is inside and hidden, since Node has another
# version of it. OpenSSL is not used.
{
  'variables': {
    'llhttp': 'libtripswitch/llhttp',
    'hidden': ['-fvisibility=hidden', '-ffunction-sections',
               '-fdata-sections', '-flto=auto'],
  },
  'target_defaults': {
    'cflags!': ['-fno-omit-frame-pointer'],
    'cflags': ['<@(hidden)', '-O2'],
  },
  'targets': [
    {
      'target_name': 'llhttp',
      'type': 'static_library',
      'sources': ['<(llhttp)/api.c', '<(llhttp)/http.c', '<(llhttp)/llhttp.c'],
      'include_dirs': ['<(llhttp)'],
      'defines': ['LLHTTP_STRICT_MODE=1'],
      'cflags': ['-fPIC', '-w'],
    },
    {
      'target_name': 'tripswitch',
      'dependencies': ['llhttp'],
      'sources': [
        'src/addon.c',
        'src/breakers.c',
        'src/calls.c',
        'src/client.c',
        'src/events.c',
        'src/queries.c',
        'src/stores.c',
        'src/values.c',
        '<!@(node scripts/sources.js sources)',
      ],
      'include_dirs': [
        # Before Node's: Node has an llhttp.h too, of another version.
        '<(llhttp)',
        'libtripswitch/include',
        'libtripswitch/lib',
      ],
      'defines': ['NAPI_VERSION=8', '_POSIX_C_SOURCE=200809L', 'NDEBUG'],
      'cflags_c': ['-std=c11', '-Wall', '-Wextra', '-Wno-unused-parameter',
                   '-Wno-missing-field-initializers',
                   '<!@(node scripts/sources.js cflags)'],
      'libraries': ['<!@(node scripts/sources.js libs)', '-lmbedtls',
                    '-lmbedx509', '-lmbedcrypto', '-lz'],
      'ldflags': ['-flto=auto', '-Wl,--gc-sections',
                  '-Wl,--version-script=<(module_root_dir)/addon.sym'],
    },
  ],
}
