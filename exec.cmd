@rem The scripts in package.json start with exec, so that signals reach them under sh; in cmd.exe it is this.
@%*
