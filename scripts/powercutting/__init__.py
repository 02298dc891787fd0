"""haul serve on disks that lose their power. docs/powercut.md tells what for."""
