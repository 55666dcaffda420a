// Package torture holds no code but tests: it breaks the disk, the process and the
// machine under the command, at every moment that it can name, and holds what is
// left to the promises of docs/promises.md. `.ci/torture` runs it in a short form,
// `make torture` in a long one; `go test` alone skips it.
//
// A run of the command is watched with ptrace, which counts the calls of all its
// threads in one order, so that each can be failed or be its last. The same record,
// with what was written, is what the crash states are made of.
package torture
