"""The door for browsers: a page that shows what is on this Cloudlet, by its APIs, to whoever has a key."""
