// A struct that is one parameter of a kernel. The host fills it slot by slot, 8 bytes each, whatever the field's type.
// Its first slot says how many slots the host has filled; the stand-in compares that with the struct's size.
#pragma once

#define SLOT __align__(8)
