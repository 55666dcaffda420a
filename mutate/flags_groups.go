package mutate

// configFlags are the flags of edits of what containers run with.
func configFlags() []Flag {
	return []Flag{
		entrypointFlag, cmdFlag, envFlag, labelFlag, userFlag, workdirFlag, exposeFlag, volumeFlag,
		stopSignalFlag, healthcheckFlag, authorFlag, createdFlag, setPlatformFlag, clearFlag,
	}
}

// historyFlags are the flags of edits of the history.
func historyFlags() []Flag {
	return []Flag{historyFlag, noHistoryFlag, buildArgRmFlag, buildArgRmRegexFlag}
}

// annotationFlags are the flags of edits of annotations.
func annotationFlags() []Flag {
	return []Flag{annotationFlag, annotationPromoteFlag, labelToAnnotationFlag, annotationBaseFlag}
}

// formFlags are the flags of edits of how an image is written.
func formFlags() []Flag {
	return []Flag{toOCIFlag, toDockerFlag, toOCIReferrersFlag, dataMaxFlag, digestAlgoFlag, externalURLsRmFlag}
}

// bare makes a Flag's Parse of a change that needs no value.
func bare(on Selector, change Change) func(string, FlagEnv) (Edit, error) {
	return func(string, FlagEnv) (Edit, error) { return Edit{On: on, Change: change}, nil }
}
