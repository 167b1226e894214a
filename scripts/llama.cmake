# Read by CMake at the end of llama.cpp's `project()`. llama-cpp-python forces llama.cpp's helpers for programs (`common`, half of the
# compiling) on in the cache; a variable of this scope goes before it. Nothing here uses them.
set(LLAMA_BUILD_COMMON OFF)
