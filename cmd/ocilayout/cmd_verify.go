package main

import (
	"context"

	"github.com/ocilayout/ocilayout/verify"
)

func verifyCommand() *command {
	var f verifyFlags
	return &command{
		name:  "verify",
		args:  "LAYOUT|REF|ARCHIVE",
		short: "prove that content is what it is said to be",
		long: `Every blob is read once: its digest, and of layers what they decompress to. A layout
is judged with its index.json, names, and blobs that nothing refers to; of a REF,
what it reaches. The exit code is 4 if there is an error; warnings and notes do
not count. docs/verify.md lists every problem by its id, and what the lines of
--expect may say.

--require and --expect are about the image that REF names; of a layout, about every
image that has a name. --for is about what is there, as it is: what export and copy
would leave out, narrow or refuse for the consumer is an error under the id of the
rule, a name that they would change a warning; docs/consumers.md has the rules.

--repair-from needs a layout in a directory. Blobs are replaced whole, from the first
source that has the right bytes; index.json stays as it is. The exit code is 0 only
if all is right after.`,
		examples: []example{
			{"A whole layout, or an archive of one, in place.", "ocilayout verify images.tar"},
			{"The ids of what is wrong with one image, for a script.", "ocilayout verify images:app --format '{{range .problems}}{{.id}} {{end}}'"},
			{"Whether an image is complete, without reading its layers.", "ocilayout verify images:app --level quick --require platform:linux/arm64 --require referrer:application/spdx+json"},
			{"What kind would make of an archive.", "ocilayout verify images.tar --for kind"},
			{"Bring back what a bad disk took.", "ocilayout verify images --repair-from /media/stick/images"},
		},
		flags: f.flags(),
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o, err := f.options(e)
			if err != nil {
				return nil, err
			}
			var report verify.Report
			if from := f.list.of("repair-from"); from != nil {
				report, err = e.repaired(ctx, args[0], from, o)
			} else {
				report, err = e.verified(ctx, args[0], o)
			}
			if err == nil && !report.OK {
				return verdictTable{report}, errCheckFailed
			}
			if err != nil {
				return nil, err
			}
			return verdictTable{report}, nil
		},
	}
}
