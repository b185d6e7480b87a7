package faultlab_test

// childVariable makes the test binary a worker of its own that can be killed.
const childVariable = "FAULTLAB_CHILD"

func child() int { return 0 }
