/** Styles go into the bundle beside the script: importing them gives nothing. */
declare module '*.css' {}
