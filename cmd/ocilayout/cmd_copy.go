package main

func copyCommand() *command {
	var f copyFlags
	return &command{
		name:  "copy",
		args:  "[SOURCE...] DESTINATION",
		short: "copy images between layouts and registries, with what refers to them",
		long: "A SOURCE is REF, or a layout for all that is in it, or docker://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]. The last argument is where they go: LAYOUT[:NAME], which is made if it is not there, or docker://HOST[:PORT]/REPOSITORY[:TAG]. " +
			"With a NAME or TAG the one image copied gets that, otherwise names and tags stay as they are; in a layout what comes from a registry is called as there, with the host. " +
			"Signatures, SBOMs and other referrers come along, cosign's tags too. From one registry to another nothing lies anywhere between, and within one registry no layer moves.\n\n" +
			"A line of the FILE of --refs-from is SOURCE or SOURCE NAME, the latter for what goes to or comes from a registry. " + refListUsage + "\n\n" +
			"With --for only what one consumer loads is copied, images alone, under names that it reads, as export does; " +
			"what is in the destination already must suit it too. If it would not load the result, nothing is copied and the exit code is 4.",
		examples: []example{
			{"One image to a stick.", "ocilayout copy images:app /media/stick/images"},
			{"Everything in an archive, by hard links where that can be.", "ocilayout copy --link images.tar images"},
			{"A release from one registry to another.", "ocilayout copy docker://registry.example.com/team/app:v1.2.0 docker://registry.internal:5000/team/app"},
			{"The one image that Bazel's rules read.", "ocilayout copy images:app --for bazel base"},
			{"One platform of an index, under another name.", "ocilayout copy images:app mirror:app-arm --platform linux/arm64 --no-referrers"},
		},
		flags:  f.flags(),
		report: true,
		run:    f.run,
	}
}
