package main

// commands is every command, in the order in which help lists them.
//
// To add one, write cmd_NAME.go with a function that returns its *command: name,
// args, short, two examples, flags that store into local variables, and a run
// that calls the library once and returns a result (package render says what a
// result may be). Add one line here, a script testdata/script/NAME*.txtar, and
// run "OCILAYOUT_UPDATE=1 go test ./cmd/ocilayout" for the help texts and
// docs/cli.md.
var commands = []func() *command{
	initCommand,
	createCommand,
	lsCommand,
	inspectCommand,
	digestCommand,
	treeCommand,
	filesCommand,
	catCommand,
	putCommand,
	tagCommand,
	untagCommand,
	deleteCommand,
	copyCommand,
	importCommand,
	exportCommand,
	mutateCommand,
	rebaseCommand,
	squashCommand,
	appendCommand,
	indexCreateCommand,
	indexAddCommand,
	indexRemoveCommand,
	indexMergeCommand,
	unpackCommand,
	repackCommand,
	attachCommand,
	detachCommand,
	referrersCommand,
	artifactPutCommand,
	artifactGetCommand,
	verifyCommand,
	pruneCommand,
	gcCommand,
	diffCommand,
	pushCommand,
	pullCommand,
	syncCommand,
	loginCommand,
	logoutCommand,
	refCommand,
	versionCommand,
	completionCommand,
	manCommand,
	helpCommand,
}

// commandTable builds every command.
func commandTable() []*command {
	table := make([]*command, len(commands))
	for i, build := range commands {
		table[i] = build()
	}
	return table
}
