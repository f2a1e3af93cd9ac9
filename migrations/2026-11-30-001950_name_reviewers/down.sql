SET LOCAL ROLE workspace_platform;
UPDATE feedback SET judge = 'visitor' WHERE judge <> 'visitor';
RESET ROLE;
